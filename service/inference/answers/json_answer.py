"""The answer of `POST /predict` as JSON: from scores to bytes, as `PredictResponse` describes them.

It is the response model written out by hand, since to build it and its parts takes longer than all else in a request.
Whatever is the same in every answer is made once; a test holds the bytes against the response model.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel

from service.contract.certificates import Abstention, PredictionSets
from service.contract.policy import Policy
from service.inference.answers.answer import SetsRef, WrittenAnswer
from service.inference.batching import Rows
from service.inference.decision import REASONS, Decision, Reason, decide, limits, tally
from service.inference.outcome import ModelRef, Outcome
from service.inference.prediction_id import PredictionIds
from service.inference.prediction_sets import LabelSets
from service.inference.readers.body import JSON

_Row = Sequence[float] | NDArray[np.float32]  # the latter where nothing goes through all of it


class _Probable(TypedDict):
    label: str
    probability: float


class _Prediction(TypedDict):
    """As the schema's `Prediction`."""

    id: str
    audit: bool
    decision: str
    label: str | None
    reason: Reason | None
    confidence: float
    top_k: list[_Probable]
    probabilities: _Row | None
    prediction_set: list[str] | None


class JsonAnswer:
    """Answers under one policy, with so much of the scores."""

    media_type = JSON
    said: Mapping[str, str] = {}  # all is in the body

    def __init__(
        self,
        model: ModelRef,
        labels: Sequence[str],
        abstention: Abstention | None,
        policy: Policy,
        ids: PredictionIds,
        *,
        k: int,
        probabilities: bool,
        sets: PredictionSets | None,
    ) -> None:
        self._labels = labels
        self._abstention = abstention
        self._model = model
        self._policy = policy
        self._of_one = {reason: Outcome(model, policy, tally([reason])) for reason in (None, *REASONS)}
        self._limits = limits(policy, abstention)
        self._id_of = ids.under(policy)
        self.k = k
        self._probabilities = probabilities
        self.whole = probabilities or sets is not None
        max_ood_score = np.inf if abstention is None else abstention.out_of_distribution.threshold
        self._sets = None if sets is None else LabelSets(labels, sets, max_ood_score)
        named = None if sets is None else SetsRef(set_coverage=sets.set_coverage, method=sets.method)
        self._head = b'{"model":%b,"policy":%b,"prediction_sets":%b,"predictions":' % (
            _json(model),
            _json(policy),
            b"null" if named is None else _json(named),
        )

    def write(self, rows: Rows) -> WrittenAnswer:
        """The JSON of the answers to N inputs."""
        if len(rows.confidence) == 1 and self._limits is not None:
            likeliest = rows.likeliest[0]
            decision = self._limits.decision(likeliest[0], rows.confidence[0], rows.ood_score[0])
            one = self._prediction(decision, rows.probabilities[0], rows.confidence[0], rows.ood_score[0], likeliest)
            return WrittenAnswer(self._head + orjson.dumps([one]) + b"}", self._of_one[decision.reason])
        decisions = decide(rows.scores, self._policy, self._abstention)
        columns = zip(decisions, rows.probabilities, rows.confidence, rows.ood_score, rows.likeliest, strict=True)
        body = self._head + orjson.dumps([self._prediction(*entry) for entry in columns]) + b"}"
        return WrittenAnswer(body, Outcome(self._model, self._policy, tally(decision.reason for decision in decisions)))

    def _prediction(
        self, decision: Decision, row: _Row, confidence: float, ood_score: float, likeliest: list[int]
    ) -> _Prediction:
        labels, sets = self._labels, self._sets
        label, reason = decision
        identity, audit = self._id_of(label)
        return {
            "id": identity,
            "audit": audit,
            "decision": "abstain" if label is None else "answer",
            "label": None if label is None else labels[label],
            "reason": reason,
            "confidence": confidence,
            "top_k": [{"label": labels[i], "probability": float(row[i])} for i in likeliest[: self.k]],
            "probabilities": row if self._probabilities else None,
            "prediction_set": None if sets is None else sets.of(row, confidence, ood_score, likeliest),
        }


def _json(part: BaseModel) -> bytes:
    return part.model_dump_json().encode()
