"""The options of a request for predictions, and the JSON body that they stand in beside the inputs."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.contract.certificates import SetMethod
from service.contract.policy import PolicyRequest

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
