"""The wire of `POST /predict`: the options in a query string, and the answer."""

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
    """The options of a body that is not JSON, in the query string; the policies stand beside the rest."""

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
        """The same as `Options`. Raises InvalidRequest where more than one policy is given."""
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

    id: str = Field(description="To give feedback by: `POST /feedback`.")
    audit: bool = Field(
        description="Whether the answer was drawn at random for the audit sample, on which `/feedback` bases its "
        "bounds: find the true labels of these. Never so in an abstention."
    )
    decision: Literal["answer", "abstain"] = Field(description="Whether the model answers.")
    label: str | None = Field(description="The label; null in an abstention.")
    reason: Reason | None = Field(description="Why the model abstains; null in an answer.")
    confidence: float = Field(description="The largest probability.")
    top_k: list[LabelProbability] = Field(description="The most probable labels, abstained or not.")
    probabilities: list[float] | None = Field(
        description="Of every class, in the order of the model's labels; null where there are many and none asked."
    )
    prediction_set: list[str] | None = Field(
        description="Labels that the input may have, in the order of the model's; null for a model without any, and "
        "where there are many classes and the request names neither set_coverage nor set_method."
    )


class PredictResponse(BaseModel):
    """The answer of `POST /predict`: one prediction an input, in their order."""

    model: Annotated[ModelRef, Field(description="The model that answered.")]
    policy: Annotated[Policy, Field(description="The policy that decided.")]
    prediction_sets: SetsRef | None = Field(description="What is promised of each prediction_set.")
    predictions: list[Prediction] = Field(description="One an input.")
