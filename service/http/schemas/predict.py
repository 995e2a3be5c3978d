"""The wire of `POST /predict`: what may be asked, with the bounds that OpenAPI states, and what is answered."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.contract.certificates import SetMethod
from service.contract.errors import InvalidValue
from service.contract.policy import POLICY_FIELDS, Policy, PolicyRequest
from service.contract.validation import validated
from service.http.schemas.models import ModelRef
from service.inference.decision import Reason

DEFAULT_TOP_K = 3
MANY_CLASSES = 1000  # with more, what has an entry a class is sent only where it is asked for


class Options(BaseModel):
    """What a request may ask beside its inputs: in a JSON body, or in the query string of any other."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    # How many classes there are, only the model knows: `top_k` is held to that range where it is used.
    top_k: int | None = Field(
        None,
        description=f"How many of the most probable labels to list, 1 to all; {DEFAULT_TOP_K} unless asked.",
        json_schema_extra={"minimum": 1},
    )
    resize: bool = Field(
        False,
        description="Turn PNG and JPEG files upright, convert them to the model's grey or RGB, fit them to its size "
        "and centre them on black. The training images are light on dark: a photograph of a dark "
        "object on a light ground looks to the model like something else: see `invert`.",
    )
    invert: bool = Field(
        False,
        description="Take the negative of pictures, 255 less each pixel, in whatever form they come: for dark objects "
        "on a light ground, where the training images are light on dark. With `resize` too, what is added around them "
        "and what shows through is black all the same.",
    )
    policy: PolicyRequest | None = Field(None, description="When to answer; the service's default if absent.")
    probabilities: bool | None = Field(
        None, description=f"Whether to list the probability of every class; unless asked, up to {MANY_CLASSES} classes."
    )
    set_coverage: float | None = Field(
        None, gt=0, lt=1, description="How often the prediction set must hold the true label; one that is certified."
    )
    set_method: SetMethod | None = Field(
        None,
        description="Of what that holds: of the answered and of the abstained apart (by_decision), of all inputs "
        "(lac), or of each class (lac_class_conditional). Unless asked, the first that the model offers.",
    )


NO_OPTIONS = Options()


class PredictRequest(Options):
    """The JSON body of `POST /predict`."""

    # Looked at by the model's reader, and described by it in `/openapi.json`.
    inputs: list[Any] = Field(description="The inputs; each gets one prediction.", json_schema_extra={"minItems": 1})


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


class SetsRef(BaseModel):
    """Which promise the prediction sets keep."""

    set_coverage: float = Field(description="How often a set holds the true label, at least.")
    method: SetMethod = Field(
        description="Of what that holds: of the answered and of the abstained apart under each certified risk "
        "(by_decision), of all inputs (lac), or of each class (lac_class_conditional)."
    )


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
