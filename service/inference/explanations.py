"""From a request's body to the explanations of its inputs."""

from typing import Annotated, Any

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from service.contract.errors import InvalidValue, TooLarge
from service.contract.validation import display, truncated
from service.inference.explainer import Explainer
from service.inference.model_inputs import InputsQuery, read
from service.inference.outcome import ModelRef
from service.inference.predictor import Predictor
from service.inference.readers.contributions import in_shape_of

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


def explain(
    predictor: Predictor, explainer: Explainer, body: bytes, media_type: str, query: ExplainQuery
) -> ExplainResponse:
    """Read one request and answer it. Raises the RequestError that says what is wrong with it."""
    return explained(predictor, explainer, *read(predictor, body, media_type, query, ExplainRequest))


def explained(
    predictor: Predictor, explainer: Explainer, options: ExplainQuery, inputs: NDArray[Any]
) -> ExplainResponse:
    """Explain inputs that are read already. Raises TooLarge for too many, InvalidValue for a label that is none."""
    if len(inputs) > MOST_EXPLAINED:
        raise TooLarge(f"there are {len(inputs)} inputs: at most {MOST_EXPLAINED} are explained in one request")
    manifest = predictor.classifier.manifest
    asked = None if options.label is None else _index(options.label, manifest.labels)
    parts = explainer.parts(inputs)
    explanations = []
    for row, probabilities in enumerate(parts.probabilities):
        label = int(probabilities.argmax()) if asked is None else asked
        explanations.append(
            Explanation(
                label=manifest.labels[label],
                probability=float(probabilities[label]),
                logit=float(parts.logits[row, label]),
                bias=float(parts.biases[label]),
                contributions=in_shape_of(manifest.input, parts.contributions(row, label)),
            )
        )
    return ExplainResponse(model=predictor.model_ref, explanations=explanations)


def _index(label: str, labels: list[str]) -> int:
    if label not in labels:
        raise InvalidValue("label", f"={display(label)} is none of the model's: {truncated(', '.join(labels))}")
    return labels.index(label)
