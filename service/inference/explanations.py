"""Explains the inputs of a request: what each part of an input contributes to a class's logit."""

from typing import Annotated, Any

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from service.contract.errors import InvalidValue, TooLarge
from service.contract.validation import display, truncated
from service.inference.explainer import Explainer
from service.inference.model_inputs import InputsQuery, read_request
from service.inference.outcome import ModelRef
from service.inference.predictor import Predictor
from service.inference.readers.as_json import contributions_as_json

MAX_EXPLAINED = 16  # inputs in a request: each explanation is as long as its input


class ExplainQuery(InputsQuery):
    """The options of a body that is not JSON."""

    label: str | None = Field(None, description="The class to explain; by default each input's likeliest.")


class ExplainRequest(ExplainQuery):
    """The JSON body of `POST /explain`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    inputs: list[Any] = Field(
        description="As for `/predict`.", json_schema_extra={"minItems": 1, "maxItems": MAX_EXPLAINED}
    )


class Explanation(BaseModel):
    """The parts of one logit, which is the bias plus the sum of the contributions.

    Of a model with a quadratic lift the contributions are integrated gradients from the mean of the training inputs.
    """

    label: str = Field(description="The class whose logit is explained.")
    probability: float = Field(description="Its probability, as in `/predict`.")
    logit: float = Field(description="After the temperature: the probabilities are the softmax of the logits.")
    bias: float = Field(
        description="The logit of an input whose features are all 0; of a model with a quadratic lift, the logit of "
        "the mean of the training inputs."
    )
    contributions: list[Any] | dict[str, float] = Field(
        description="In the shape of the input: a number for each pixel, by column name (one for all categories of a "
        "column), for each number of an embedding, or for each token."
    )


class ExplainResponse(BaseModel):
    """The answer of `POST /explain`: one explanation for each input, in the order of the inputs."""

    model: Annotated[ModelRef, Field(description="The model that is explained.")]
    explanations: list[Explanation] = Field(description="One for each input.")


def explain(
    predictor: Predictor, explainer: Explainer, body: bytes, media_type: str, query: ExplainQuery
) -> ExplainResponse:
    """Explain the inputs of one request. Raises a RequestError that names what is wrong."""
    return explain_inputs(predictor, explainer, *read_request(predictor, body, media_type, query, ExplainRequest))


def explain_inputs(
    predictor: Predictor, explainer: Explainer, options: ExplainQuery, inputs: NDArray[Any]
) -> ExplainResponse:
    """Explain inputs that have been read. Raises TooLarge for too many, and InvalidValue for an unknown label."""
    if len(inputs) > MAX_EXPLAINED:
        raise TooLarge(f"there are {len(inputs)} inputs: at most {MAX_EXPLAINED} are explained in one request")
    manifest = predictor.classifier.manifest
    requested_label = None if options.label is None else _index(options.label, manifest.labels)
    parts = explainer.parts(inputs)
    explanations = []
    for row, probabilities in enumerate(parts.probabilities):
        label = int(probabilities.argmax()) if requested_label is None else requested_label
        bias, contributions = parts.biases[label], parts.contributions(row, label)
        explanations.append(
            Explanation(
                label=manifest.labels[label],
                probability=float(probabilities[label]),
                logit=float(bias + contributions.sum()),
                bias=float(bias),
                contributions=contributions_as_json(manifest.input, contributions),
            )
        )
    return ExplainResponse(model=predictor.model_ref, explanations=explanations)


def _index(label: str, labels: list[str]) -> int:
    if label not in labels:
        raise InvalidValue("label", f"={display(label)} is not one of {truncated(', '.join(labels))}")
    return labels.index(label)
