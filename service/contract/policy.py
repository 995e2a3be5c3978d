"""When the model may answer: policies as requests ask for them, and as manifest and responses state them.

Each kind of policy is one class with a `kind`; a new kind joins the union `Policy` here and gets its rule
in `decision.py`.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Policy(BaseModel):
    """`str` of a policy is what was asked for, as in a query string."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ThresholdPolicy(_Policy):
    """Answer where the confidence is at least a threshold that the user set by hand. Carries no guarantee.

    What is out of distribution is not answered, whatever its confidence.
    """

    kind: Literal["threshold"] = Field("threshold", description="Which policy it is.")
    threshold: float = Field(ge=0, le=1, description="The least confidence at which the model answers.")

    def __str__(self) -> str:
        return f"threshold={self.threshold}"


class NeverAbstainPolicy(_Policy):
    """Always answer with the most probable label."""

    kind: Literal["never_abstain"] = Field("never_abstain", description="Which policy it is.")

    def __str__(self) -> str:
        return "never_abstain"


class SelectiveRiskPolicy(_Policy):
    """Keep the share of errors among the answered at most `selective_risk`, as certified."""

    kind: Literal["selective_risk"] = Field("selective_risk", description="Which policy it is.")
    selective_risk: float = Field(gt=0, lt=1, description="The most errors among the answered, as a share.")
    confidence_level: float = Field(gt=0, lt=1, description="How sure the certificate is of it.")
    threshold: float | None = Field(
        ge=0, le=1, description="The certified least confidence; null where there is none: then nothing is answered."
    )

    def __str__(self) -> str:
        return f"selective_risk={self.selective_risk}"


class RejectCostPolicy(_Policy):
    """Give the answer of least expected cost, or abstain where that is over `reject_cost` (Chow's rule)."""

    kind: Literal["reject_cost"] = Field("reject_cost", description="Which policy it is.")
    reject_cost: float = Field(gt=0, description="What an abstention costs.")
    confidence_level: float = Field(gt=0, lt=1, description="How sure the certificate is of the bound.")
    answer_cost_bound: float | None = Field(
        ge=0, description="What an answer costs on average, at most; null where not certified: nothing is answered."
    )

    def __str__(self) -> str:
        return f"reject_cost={self.reject_cost}"


Policy = Annotated[
    ThresholdPolicy | SelectiveRiskPolicy | RejectCostPolicy | NeverAbstainPolicy, Field(discriminator="kind")
]


class PolicyRequest(BaseModel):
    """When to answer, as a request or a setting asks for it: exactly one of the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    threshold: float | None = Field(None, ge=0, le=1, description="Answer where the confidence is at least this.")
    selective_risk: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Keep the error among the answered at most this. The model must be certified for it. The promise "
        "does not hold for inputs that abstained under a stricter policy and are asked again.",
    )
    reject_cost: float | None = Field(
        None,
        gt=0,
        description="Abstain where an answer is expected to cost more. The model must be certified for it. The promise "
        "does not hold for inputs that abstained under a stricter policy and are asked again.",
    )
    never_abstain: Literal[True] | None = Field(None, description="Always answer with the most probable label.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in POLICY_FIELDS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a policy is exactly one of {', '.join(POLICY_FIELDS)}; {len(given)} came")
        return self


POLICY_FIELDS = tuple(PolicyRequest.model_fields)
