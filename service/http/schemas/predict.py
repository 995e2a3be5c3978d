"""The query options and the answer of `POST /predict`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.contract.certificates import SetMethod
from service.contract.errors import InvalidValue
from service.contract.policy import POLICY_FIELDS, Policy, PolicyRequest
from service.contract.validation import validated
from service.inference.answers.answer import SetsRef
from service.inference.decision import Reason
from service.inference.options import Options
from service.inference.outcome import ModelRef


def _described(policy: str) -> str:
    return f"{PolicyRequest.model_fields[policy].description} At most one policy."


class QueryOptions(BaseModel):
    """The options in the query string, for a body that is not JSON. A policy is given by one of its own options."""

    model_config = ConfigDict(extra="forbid")

    top_k: int | None = Field(
        None, description=Options.model_fields["top_k"].description, json_schema_extra={"minimum": 1}
    )
    resize: bool = Field(False, description=Options.model_fields["resize"].description)
    invert: bool = Field(False, description=Options.model_fields["invert"].description)
    threshold: float | None = Field(None, ge=0, le=1, description=_described("threshold"))
    selective_risk: float | None = Field(None, gt=0, lt=1, description=_described("selective_risk"))
    reject_cost: float | None = Field(None, gt=0, description=_described("reject_cost"))
    never_abstain: bool | None = Field(
        None, description=_described("never_abstain"), json_schema_extra={"enum": [True]}
    )
    probabilities: bool | None = Field(None, description=Options.model_fields["probabilities"].description)
    set_coverage: float | None = Field(None, gt=0, lt=1, description=Options.model_fields["set_coverage"].description)
    set_method: SetMethod | None = Field(None, description=Options.model_fields["set_method"].description)

    def options(self) -> Options:
        """The same as `Options`. Raises InvalidRequest if more than one policy is given."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        policy = {name: given.pop(name) for name in POLICY_FIELDS if name in given}
        if len(policy) > 1:
            rule = f"a policy is exactly one of {', '.join(POLICY_FIELDS)}"
            raise InvalidValue("query", f" string holds {', '.join(policy)}: {rule}")
        return validated(Options, {**given, "policy": policy} if policy else given)


class LabelProbability(BaseModel):
    """A class and its probability."""

    label: str = Field(description="The class.")
    probability: float = Field(description="A float32, in full.")


class Prediction(BaseModel):
    """The outcome for one input."""

    id: str = Field(description="For feedback: `POST /feedback`.")
    audit: bool = Field(
        description="Whether the answer was drawn at random for the audit sample, from which `/feedback` computes its "
        "bounds: find the true labels of these answers. Always false for an abstention."
    )
    decision: Literal["answer", "abstain"] = Field(description="Whether the model answers.")
    label: str | None = Field(description="The label; null for an abstention.")
    reason: Reason | None = Field(description="Why the model abstains; null for an answer.")
    confidence: float = Field(description="The largest probability.")
    top_k: list[LabelProbability] = Field(description="The most probable labels, answered or abstained.")
    probabilities: list[float] | None = Field(
        description="Probability of each class, in the order of the labels; null for many classes unless requested."
    )
    prediction_set: list[str] | None = Field(
        description="Labels that the input may have, in the order of the model's labels; null for a model without "
        "prediction sets, and for many classes unless the request names set_coverage or set_method."
    )
    unknown_categories: list[str] = Field(
        default_factory=list,
        description="Columns of a table whose value is no category that the model knows, and so has no weight; absent "
        "where there are none.",
    )


class PredictResponse(BaseModel):
    """The answer of `POST /predict`: one prediction per input, in their order."""

    model: Annotated[ModelRef, Field(description="The model that answered.")]
    policy: Annotated[Policy, Field(description="The policy that was applied.")]
    prediction_sets: SetsRef | None = Field(description="The promise of each prediction_set.")
    predictions: list[Prediction] = Field(description="One per input.")
