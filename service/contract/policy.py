"""Policies, which say when the model may answer: in requests, in the manifest and in responses.

Each kind of policy is a class with a `kind`. A new kind joins the union `Policy` here and gets its rule in
`inference/decision.py`.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Policy(BaseModel):
    """`str` of a policy is its option in a query string."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ThresholdPolicy(_Policy):
    """Answer if the confidence reaches a threshold that the user sets. Carries no guarantee.

    The model abstains for inputs out of distribution, regardless of the confidence.
    """

    kind: Literal["threshold"] = Field("threshold", description="The kind of policy.")
    threshold: float = Field(ge=0, le=1, description="The minimum confidence of an answer.")

    def __str__(self) -> str:
        return f"threshold={self.threshold}"


class NeverAbstainPolicy(_Policy):
    """Always answer with the most probable label."""

    kind: Literal["never_abstain"] = Field("never_abstain", description="The kind of policy.")

    def __str__(self) -> str:
        return "never_abstain"


class SelectiveRiskPolicy(_Policy):
    """Keep the share of errors among the answers at most `selective_risk`, as certified."""

    kind: Literal["selective_risk"] = Field("selective_risk", description="The kind of policy.")
    selective_risk: float = Field(gt=0, lt=1, description="The maximum share of errors among the answers.")
    confidence_level: float = Field(gt=0, lt=1, description="The confidence level of the certificate.")
    threshold: float | None = Field(
        ge=0,
        le=1,
        description="The certified minimum confidence; null if there is none, and the model always abstains.",
    )

    def __str__(self) -> str:
        return f"selective_risk={self.selective_risk}"


class RejectCostPolicy(_Policy):
    """Give the answer of least expected cost, or abstain if that cost exceeds `reject_cost` (Chow's rule)."""

    kind: Literal["reject_cost"] = Field("reject_cost", description="The kind of policy.")
    reject_cost: float = Field(gt=0, description="The cost of an abstention.")
    confidence_level: float = Field(gt=0, lt=1, description="The confidence level of the bound.")
    answer_cost_bound: float | None = Field(
        ge=0,
        description="Upper bound of the mean cost of an answer; null if not certified, and the model always abstains.",
    )

    def __str__(self) -> str:
        return f"reject_cost={self.reject_cost}"


Policy = Annotated[
    ThresholdPolicy | SelectiveRiskPolicy | RejectCostPolicy | NeverAbstainPolicy, Field(discriminator="kind")
]


class PolicyRequest(BaseModel):
    """The policy that a request or a setting chooses: exactly one of the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    threshold: float | None = Field(None, ge=0, le=1, description="Answer if the confidence is at least this.")
    selective_risk: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Keep the share of errors among the answers at most this. The model must be certified for it. The "
        "promise does not hold for inputs that are sent again after an abstention under a stricter policy.",
    )
    reject_cost: float | None = Field(
        None,
        gt=0,
        description="Abstain if an answer is expected to cost more than this. The model must be certified for it. The "
        "promise does not hold for inputs that are sent again after an abstention under a stricter policy.",
    )
    never_abstain: Literal[True] | None = Field(None, description="Always answer with the most probable label.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in POLICY_FIELDS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a policy is exactly one of {', '.join(POLICY_FIELDS)}; {len(given)} were given")
        return self


POLICY_FIELDS = tuple(PolicyRequest.model_fields)
