"""From a request's body to its answer: read, score, decide, say it. Of HTTP it knows the content types."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from service.classifier import Classifier, Scores
from service.decision import Decision, decide, resolve, top_k
from service.errors import InvalidValue, MalformedBody, UnsupportedType
from service.images import Format, ImageReader
from service.policy import Policy
from service.schemas import (
    DEFAULT_TOP_K,
    LabelProbability,
    ModelRef,
    Options,
    Prediction,
    PredictRequest,
    PredictResponse,
)
from service.validation import shown, validated

JSON = "application/json"
RAW = "application/octet-stream"
IMAGE_FILES: dict[str, Format] = {"image/png": "PNG", "image/jpeg": "JPEG"}
MEDIA_TYPES = (JSON, *IMAGE_FILES, RAW)


@dataclass(frozen=True, slots=True)
class Predictor:
    """Answers `POST /predict` with one model."""

    classifier: Classifier
    reader: ImageReader
    default_policy: Policy

    def predict(self, body: bytes, media_type: str, query: Options) -> PredictResponse:
        """Answer one request. `query` holds the options of its query string, for all bodies but JSON.

        Raises the RequestError that says what is wrong with it.
        """
        options, images = self._read(body, media_type, query)
        classes = len(self.classifier.manifest.labels)
        k = min(DEFAULT_TOP_K, classes) if options.top_k is None else options.top_k
        if not 1 <= k <= classes:
            raise InvalidValue("top_k", f"={shown(k)} is out of range: 1 to {classes}")
        policy = self.default_policy if options.policy is None else resolve(options.policy)
        scores = self.classifier.scores(images)
        return self._respond(scores, decide(scores, policy), policy, k)

    def _read(self, body: bytes, media_type: str, query: Options) -> tuple[Options, NDArray[np.uint8]]:
        if media_type == JSON:
            if query.model_fields_set:
                raise InvalidValue("query", " string: with a JSON body the options belong in the body")
            request = validated(PredictRequest, _json_object(body))
            return request, self.reader.from_json(request.inputs, resize=request.resize)
        if media_type == RAW:
            return query, self.reader.from_bytes(body)
        if media_type in IMAGE_FILES:
            return query, self.reader.from_file(body, IMAGE_FILES[media_type], resize=query.resize)
        came = f"content type {media_type}" if media_type else "a body without a content type"
        raise UnsupportedType(f"{came} is not taken: {', '.join(MEDIA_TYPES)} are")

    def _respond(self, scores: Scores, decisions: list[Decision], policy: Policy, k: int) -> PredictResponse:
        labels = self.classifier.manifest.labels
        ranked = top_k(scores.probabilities, k).tolist()
        rows = zip(decisions, scores.confidence.tolist(), scores.probabilities.tolist(), ranked, strict=True)
        return PredictResponse(
            model=ModelRef(name=self.classifier.manifest.name, version=self.classifier.version),
            policy=policy,
            predictions=[
                Prediction(
                    decision="abstain" if decision.label is None else "answer",
                    label=None if decision.label is None else labels[decision.label],
                    reason=decision.reason,
                    confidence=confidence,
                    top_k=[LabelProbability(label=labels[i], probability=row[i]) for i in best],
                    probabilities=row,
                )
                for decision, confidence, row, best in rows
            ],
        )


def _json_object(body: bytes) -> dict[str, object]:
    try:
        # Refuses NaN and Infinity, and nesting past a depth that no request needs.
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedBody(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidValue("body", f" is {shown(value)}: it must be an object that holds inputs")
    return value
