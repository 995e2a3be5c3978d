"""The wire of `POST /explain`."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from service.http.schemas.models import ModelRef
from service.inference.model_inputs_schema import InputsQuery

MOST_EXPLAINED = 16  # inputs: each answer is as long as its input


class ExplainQuery(InputsQuery):
    """The options of a body that is not JSON."""

    label: str | None = Field(None, description="The class to explain; each input's likeliest unless asked.")


class ExplainRequest(ExplainQuery):
    """The JSON body of `POST /explain`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    inputs: list[Any] = Field(
        description="As for `/predict`.", json_schema_extra={"minItems": 1, "maxItems": MOST_EXPLAINED}
    )


class Explanation(BaseModel):
    """What one logit is made of: the bias and the sum of the contributions."""

    label: str = Field(description="The class whose logit it is.")
    probability: float = Field(description="As `/predict` says it.")
    logit: float = Field(description="After the temperature: the probabilities are the softmax of these.")
    bias: float = Field(description="What the logit is of an input that adds nothing.")
    contributions: list[Any] | dict[str, float] = Field(
        description="In the shape of the input: a number for each pixel, by column name (a category's as one), for "
        "each number of an embedding, or for each token."
    )


class ExplainResponse(BaseModel):
    """The answer of `POST /explain`: one explanation an input, in their order."""

    model: Annotated[ModelRef, Field(description="The model that is explained.")]
    explanations: list[Explanation] = Field(description="One an input.")
