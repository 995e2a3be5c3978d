"""Does the promise still hold? True labels that come in after the predictions, counted by policy."""

import logging
from dataclasses import dataclass

from pydantic import ValidationError

from service.answering.prediction_id import PredictionId
from service.certificates import Abstention
from service.decision import resolve
from service.errors import Conflict, InvalidValue
from service.manifest import Manifest
from service.monitoring.confidence_sequence import confidence_sequence
from service.monitoring.feedback_store import Count, FeedbackStore, Totals
from service.policy import Policy, PolicyRequest, RejectCostPolicy, SelectiveRiskPolicy
from service.schemas.feedback import PolicyFeedback, PromiseStatus
from service.validation import shortened, shown

CONFIDENCE_LEVEL = 0.95

_log = logging.getLogger("demur")


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a certificate promises, between which bounds the truth lies, and what is said where that contradicts it."""

    promised: float
    low: float
    high: float
    sentence: str


class Feedback:
    """Counts the feedback on one model's predictions, and holds the counts against the certificates."""

    def __init__(self, manifest: Manifest, version: str, store: FeedbackStore) -> None:
        self._labels = {label: index for index, label in enumerate(manifest.labels)}
        self._abstention = manifest.abstention
        self._version = version
        self._store = store

    def record(self, prediction_id: str, true_label: str) -> PolicyFeedback:
        """Count one prediction's true label and return where its policy stands.

        The same feedback again changes nothing. Raises InvalidValue for an id that this model has not given or a label
        that is none of its, and Conflict for a second, different label.
        """
        prediction = self._decoded(prediction_id)
        truth = self._labels.get(true_label)
        if truth is None:
            raise InvalidValue("label", f"={shown(true_label)} is none of {shortened(', '.join(self._labels))}")
        policy = self._policy(prediction)
        with self._store.transaction():
            earlier = self._store.truth(prediction.nonce)
            if earlier not in (None, truth):
                raise Conflict(f"id={prediction_id} has feedback already, with another label: the first one counts")
            count = self._store.count(policy)
            if earlier is None:
                self._store.remember(prediction.nonce, truth)
                self._add(count, prediction.label, truth)
                self._store.save(count)
        return self._state(count)

    def states(self, *, made_up: bool = True) -> list[PolicyFeedback]:
        """Where every policy stands that feedback came for; thresholds, which clients make up, only where `made_up`."""
        return [self._state(count) for count in self._store.counts(made_up=made_up)]

    def of_thresholds(self) -> Totals:
        """The feedback on all thresholds together."""
        return self._store.thresholds()

    def _decoded(self, text: str) -> PredictionId:
        try:
            prediction = PredictionId.decode(text)
        except ValueError as error:
            raise InvalidValue("id", f"={shown(text)} is {error}") from None
        if prediction.version != self._version:
            raise InvalidValue("id", f" is of model {prediction.version}, and this is {self._version}")
        if prediction.label is not None and prediction.label >= len(self._labels):
            raise InvalidValue("id", f"={shown(text)} is not the id of a prediction of this model")
        return prediction

    def _policy(self, prediction: PredictionId) -> Policy:
        value = True if prediction.policy_field == "never_abstain" else prediction.policy_value
        try:
            return resolve(PolicyRequest.model_validate({prediction.policy_field: value}), self._abstention)
        except (ValidationError, InvalidValue):  # no id that was given says so
            raise InvalidValue("id", " is not the id of a prediction of this model") from None

    def _add(self, count: Count, label: int | None, truth: int) -> None:
        if label is None:
            count.abstained += 1
            return
        count.answered += 1
        count.errors += label != truth
        count.cost += _cost(self._abstention, label, truth)
        judged = self._judge(count)
        if judged is not None and judged.low > judged.promised:
            if count.warning is None:
                _log.warning("feedback: %s", judged.sentence)
            count.warning = judged.sentence

    def _state(self, count: Count) -> PolicyFeedback:
        answered, policy = count.answered, count.policy
        low, high = confidence_sequence(count.errors, answered, CONFIDENCE_LEVEL)
        judged = self._judge(count)
        return PolicyFeedback(
            policy=policy,
            answered=answered,
            errors=count.errors,
            abstained=count.abstained,
            selective_risk=count.errors / answered if answered else None,
            risk_lower_bound=low,
            risk_upper_bound=high,
            confidence_level=CONFIDENCE_LEVEL,
            answer_cost=count.cost / answered if answered and isinstance(policy, RejectCostPolicy) else None,
            promise=judged and _standing(judged, broken=count.warning is not None),
            warning=count.warning,
        )

    def _judge(self, count: Count) -> _Judged | None:
        """A policy's feedback beside what its certificate promises; None where nothing is promised."""
        match count.policy:
            case SelectiveRiskPolicy(selective_risk=promised, threshold=float()):
                low, high = confidence_sequence(count.errors, count.answered, CONFIDENCE_LEVEL)
                came = f"{count.errors} of {count.answered} answers were wrong, so the risk is"
                what = f"selective_risk={promised}"
            case RejectCostPolicy(reject_cost=promised, answer_cost_bound=float()):
                largest = _largest_cost(self._abstention)
                bounds = confidence_sequence(count.cost / largest, count.answered, CONFIDENCE_LEVEL)
                low, high = bounds[0] * largest, bounds[1] * largest
                came = f"{count.answered} answers cost {count.cost:g}, so one costs"
                what = f"reject_cost={promised}"
            case _:
                return None
        sentence = (
            f"the certificate of {what} no longer holds: {came} at least {low:.4f} (confidence {CONFIDENCE_LEVEL})"
        )
        return _Judged(promised, low, high, sentence)


def _standing(judged: _Judged, *, broken: bool) -> PromiseStatus:
    if broken:
        return "broken"
    return "confirmed" if judged.high <= judged.promised else "open"


def _cost(abstention: Abstention | None, label: int, truth: int) -> float:
    matrix = abstention.cost_matrix if abstention else None
    return float(label != truth) if matrix is None else matrix[label][truth]


def _largest_cost(abstention: Abstention | None) -> float:
    matrix = abstention.cost_matrix if abstention else None
    return 1.0 if matrix is None else max(map(max, matrix))
