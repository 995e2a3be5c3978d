"""From a request's body to its answer: read, score, decide, say it. Of HTTP it knows the content types."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.certificates import PredictionSets
from service.classifier import Classifier, Scores
from service.decision import Decision, decide, resolve, top_k
from service.drift import Drift
from service.errors import InvalidValue, UnsupportedType
from service.policy import Policy
from service.prediction_id import encode
from service.prediction_sets import choose, members
from service.reading.bodies import JSON
from service.reading.reader import Reader
from service.schemas.models import ModelRef
from service.schemas.predict import (
    DEFAULT_TOP_K,
    MANY_CLASSES,
    LabelProbability,
    Options,
    Prediction,
    PredictRequest,
    PredictResponse,
    SetsRef,
)
from service.validation import json_object, shown, validated


@dataclass(frozen=True, slots=True)
class _Shown:
    """What of the scores a response shows."""

    top_k: int
    probabilities: bool  # of every class
    sets: PredictionSets | None


@dataclass(frozen=True, slots=True)
class Predictor:
    """Answers `POST /predict` with one model."""

    name: str
    classifier: Classifier
    reader: Reader
    default_policy: Policy
    drift: Drift

    @property
    def model_ref(self) -> ModelRef:
        """Which model answers."""
        return ModelRef(name=self.name, version=self.classifier.version)

    def predict(self, body: bytes, media_type: str, query: Options) -> PredictResponse:
        """Answer one request. `query` holds the options of its query string, for all bodies but JSON.

        Raises the RequestError that says what is wrong with it.
        """
        options, inputs = self._read(body, media_type, query)
        classes = len(self.classifier.manifest.labels)
        k = min(DEFAULT_TOP_K, classes) if options.top_k is None else options.top_k
        if not 1 <= k <= classes:
            raise InvalidValue("top_k", f"={shown(k)} is out of range: 1 to {classes}")
        abstention = self.classifier.manifest.abstention
        within = "policy." if media_type == JSON else ""  # in the query string its fields stand beside the others
        asked = options.policy
        policy = self.default_policy if asked is None else resolve(asked, abstention, within=within)
        many = classes > MANY_CLASSES
        named = options.set_coverage is not None or options.set_method is not None
        sets = None if many and not named else choose(abstention, options.set_coverage, options.set_method)
        listed = not many if options.probabilities is None else options.probabilities
        scores = self.classifier.scores(inputs)
        self.drift.record(scores)
        return self._respond(scores, decide(scores, policy, abstention), policy, _Shown(k, listed, sets))

    def _read(self, body: bytes, media_type: str, query: Options) -> tuple[Options, NDArray[Any]]:
        if media_type == JSON:
            if query.model_fields_set:
                raise InvalidValue("query", " string: with a JSON body the options belong in the body")
            request = validated(PredictRequest, json_object(body, "inputs"))
            return request, self.reader.from_json(request.inputs, resize=request.resize)
        if media_type in self.reader.media_types:
            return query, self.reader.from_body(body, media_type, resize=query.resize)
        came = f"content type {media_type}" if media_type else "a body without a content type"
        raise UnsupportedType(f"{came} is not taken: {', '.join((JSON, *self.reader.media_types))} are")

    def _respond(self, scores: Scores, decisions: list[Decision], policy: Policy, shown: "_Shown") -> PredictResponse:
        labels, version = self.classifier.manifest.labels, self.classifier.version
        best = top_k(scores.probabilities, shown.top_k)
        columns = zip(
            encode(version, policy, decisions),
            decisions,
            scores.confidence.tolist(),
            scores.probabilities.tolist() if shown.probabilities else repeat(None, len(decisions)),
            best.tolist(),
            np.take_along_axis(scores.probabilities, best, axis=1).tolist(),
            self._sets(scores, shown.sets),
            strict=True,
        )
        return PredictResponse(
            model=self.model_ref,
            policy=policy,
            prediction_sets=shown.sets and SetsRef(set_coverage=shown.sets.set_coverage, method=shown.sets.method),
            predictions=[
                Prediction(
                    id=identity,
                    decision="abstain" if decision.label is None else "answer",
                    label=None if decision.label is None else labels[decision.label],
                    reason=decision.reason,
                    confidence=confidence,
                    top_k=[LabelProbability(label=labels[i], probability=p) for i, p in zip(top, theirs, strict=True)],
                    probabilities=row,
                    prediction_set=possible,
                )
                for identity, decision, confidence, row, top, theirs, possible in columns
            ],
        )

    def _sets(self, scores: Scores, sets: PredictionSets | None) -> Iterable[list[str] | None]:
        if sets is None:
            return [None] * len(scores.confidence)
        labels = self.classifier.manifest.labels
        return (list(compress(labels, row)) for row in members(scores.probabilities, sets).tolist())
