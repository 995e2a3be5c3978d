"""The answer of `POST /predict` as JSON: from scores to bytes, in the form of `PredictResponse`.

The JSON is written by hand, since building the response model takes longer than everything else in a request.
What is the same in every answer is made once. A test holds the bytes against the response model.
"""

import copy
from collections.abc import Sequence
from typing import NotRequired, TypedDict

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel

from service.contract.certificates import Abstention, PredictionSets
from service.contract.policy import Policy
from service.inference.answers.answer import SetsRef, WrittenAnswer
from service.inference.batching import RequestScores
from service.inference.decision import REASONS, Decision, Reason, decide, limits, tally
from service.inference.outcome import ModelRef, Outcome
from service.inference.prediction_id import PredictionIds
from service.inference.prediction_sets import LabelSets
from service.inference.readers.body import JSON

_Row = Sequence[float] | NDArray[np.float32]  # an array where the answer does not need every class


class _Probable(TypedDict):
    label: str
    probability: float


class _Prediction(TypedDict):
    """The schema's `Prediction`."""

    id: str
    audit: bool
    decision: str
    label: str | None
    reason: Reason | None
    confidence: float
    top_k: list[_Probable]
    probabilities: _Row | None
    prediction_set: list[str] | None
    unknown_categories: NotRequired[Sequence[str]]


class JsonAnswer:
    """Writes answers as JSON, under one policy."""

    media_type = JSON

    def __init__(
        self,
        model: ModelRef,
        labels: Sequence[str],
        abstention: Abstention | None,
        policy: Policy,
        ids: PredictionIds,
        *,
        top_k: int,
        probabilities: bool,
        sets: PredictionSets | None,
    ) -> None:
        self.top_k = top_k
        self.needs_all_probabilities = probabilities or sets is not None
        self._labels = labels
        self._abstention = abstention
        self._model = model
        self._policy = policy
        self._single_outcomes = {reason: Outcome(model, policy, tally([reason])) for reason in (None, *REASONS)}
        self._limits = limits(policy, abstention)
        self._id_of = ids.under(policy)
        self._probabilities = probabilities
        max_ood_score = np.inf if abstention is None else abstention.out_of_distribution.threshold
        self._sets = None if sets is None else LabelSets(labels, sets, max_ood_score)
        sets_ref = None if sets is None else SetsRef(set_coverage=sets.set_coverage, method=sets.method)
        self._head = b'{"model":%b,"policy":%b,"prediction_sets":%b,"predictions":' % (
            _json(model),
            _json(policy),
            b"null" if sets_ref is None else _json(sets_ref),
        )
        self._unknown: Sequence[Sequence[str]] = ()

    def noting(self, unknown: Sequence[Sequence[str]]) -> "JsonAnswer":
        """The same writer, for one request: the predictions of inputs with unknown categories name their columns."""
        noting = copy.copy(self)
        noting._unknown = unknown
        return noting

    def write(self, scores: RequestScores) -> WrittenAnswer:
        """Write the predictions for N inputs."""
        _, _, probabilities, confidence, ood_score, likeliest = scores
        if len(confidence) == 1 and self._limits is not None and not self._unknown:
            decision = self._limits.decision(likeliest[0][0], confidence[0], ood_score[0])
            prediction = self._prediction(decision, probabilities[0], confidence[0], ood_score[0], likeliest[0])
            body = self._head + orjson.dumps([prediction]) + b"}"
            return WrittenAnswer(body, self._single_outcomes[decision.reason])
        decisions = decide(scores.scores, self._policy, self._abstention)
        columns = zip(decisions, probabilities, confidence, ood_score, likeliest, strict=True)
        predictions = [self._prediction(*row) for row in columns]
        unknown = [(prediction, names) for prediction, names in zip(predictions, self._unknown, strict=False) if names]
        for prediction, names in unknown:
            prediction["unknown_categories"] = names
        body = self._head + orjson.dumps(predictions) + b"}"
        decided = tally(decision.reason for decision in decisions)
        return WrittenAnswer(body, Outcome(self._model, self._policy, decided, len(unknown)))

    def _prediction(
        self, decision: Decision, probabilities: _Row, confidence: float, ood_score: float, likeliest: list[int]
    ) -> _Prediction:
        labels, sets = self._labels, self._sets
        label, reason = decision
        prediction_id, audit = self._id_of(label)
        return {
            "id": prediction_id,
            "audit": audit,
            "decision": "abstain" if label is None else "answer",
            "label": None if label is None else labels[label],
            "reason": reason,
            "confidence": confidence,
            "top_k": [{"label": labels[i], "probability": float(probabilities[i])} for i in likeliest[: self.top_k]],
            "probabilities": probabilities if self._probabilities else None,
            "prediction_set": None if sets is None else sets.of(probabilities, confidence, ood_score, likeliest),
        }


def _json(part: BaseModel) -> bytes:
    return part.model_dump_json().encode()
