"""The options of a request for predictions."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.contract.certificates import SetMethod
from service.contract.policy import PolicyRequest

DEFAULT_TOP_K = 3
MANY_CLASSES = 1000  # with more, lists with an entry for each class are sent only on request


class Options(BaseModel):
    """The options beside the inputs: in a JSON body, or in the query string for any other body."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    # The upper limit is the number of classes, so the predictor checks it.
    top_k: int | None = Field(
        None,
        description=f"How many of the most probable labels to list, from 1 to all; {DEFAULT_TOP_K} by default.",
        json_schema_extra={"minimum": 1},
    )
    resize: bool = Field(
        False,
        description="Convert picture files to the model's grey or RGB, fit them to its size, "
        "and centre them on black. If the training images are light on dark, a photograph of a dark object on a light "
        "background needs `invert` too.",
    )
    invert: bool = Field(
        False,
        description="Take the negative of pictures in any form: 255 minus each pixel. For dark objects on a light "
        "background, if the training images are light on dark. With `resize`, padding and transparent pixels still "
        "become black.",
    )
    policy: PolicyRequest | None = Field(None, description="When to answer; by default the service's policy.")
    probabilities: bool | None = Field(
        None,
        description=f"Whether to list the probability of every class; by default for up to {MANY_CLASSES} classes.",
    )
    set_coverage: float | None = Field(
        None, gt=0, lt=1, description="The certified share of prediction sets that hold the true label."
    )
    set_method: SetMethod | None = Field(
        None,
        description="Where the coverage holds: among answered and among abstained inputs separately (by_decision), "
        "over all inputs (lac), or in each class (lac_class_conditional). By default the first that the model has.",
    )


NO_OPTIONS = Options()


class PredictRequest(Options):
    """The JSON body of `POST /predict`."""

    # The model's reader checks the elements, and describes them in `/openapi.json`.
    inputs: list[Any] = Field(description="The inputs. Each gets one prediction.", json_schema_extra={"minItems": 1})
