"""From a request's body to the explanations of its inputs."""

from typing import Any

from numpy.typing import NDArray

from service.contract.errors import InvalidValue, TooLarge
from service.contract.validation import shortened, shown
from service.inference.explainer import Explainer
from service.inference.explanations_schema import (
    MOST_EXPLAINED,
    ExplainQuery,
    ExplainRequest,
    ExplainResponse,
    Explanation,
)
from service.inference.model_inputs import read
from service.inference.predictor import Predictor
from service.inference.readers.contributions import in_shape_of


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
        raise InvalidValue("label", f"={shown(label)} is none of the model's: {shortened(', '.join(labels))}")
    return labels.index(label)
