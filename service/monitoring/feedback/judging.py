"""Judges answers, with or without a true label, against the promise of a certificate."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from service.contract.certificates import Abstention
from service.contract.policy import Policy, RejectCostPolicy, SelectiveRiskPolicy
from service.monitoring.feedback.alarm import Alarm
from service.monitoring.feedback.confidence_sequence import confidence_sequence
from service.monitoring.feedback.counts import Answer, Count
from service.monitoring.feedback.schema import PolicyFeedback, PromiseStatus

CONFIDENCE_LEVEL = 0.95  # of the bounds where there is no certificate, which has its own

_log = logging.getLogger("demur")


@dataclass(frozen=True, slots=True)
class _Promise:
    """A certificate's promise: the mean of a value of each answer is at most `limit`."""

    limit: float
    max_value: float  # of one answer


class Judge:
    """Judges one model's answers, one after another."""

    def __init__(self, abstention: Abstention | None) -> None:
        self._costs = abstention.cost_matrix if abstention else None
        self._max_cost = 1.0 if self._costs is None else max(map(max, self._costs))

    def add(self, count: Count, answers: Iterable[Answer]) -> None:
        """Add answers, one after another, to the counts of their policy.

        A missing label counts as right for the lower bound and for the alarm, and as wrong for the upper bound. So
        whichever labels are missing, the bounds are at least as wide as with all labels, and the alarm comes no
        earlier.
        """
        promise, by_cost = self._promise(count.policy), isinstance(count.policy, RejectCostPolicy)
        alarm = None if promise is None or count.warning is not None else _resumed(promise, count)
        for label, truth in answers:
            wrong, cost = (False, 0.0) if truth is None else (label != truth, self._cost(label, truth))
            count.judged += 1
            count.missing += truth is None
            count.judged_errors += wrong
            count.judged_cost += cost
            if alarm is None:
                continue
            alarm.add(cost / self._max_cost if by_cost else wrong)
            if alarm.evidence() >= 1 / (1 - _level(count.policy)):
                count.warning = _warning(count)
                _log.warning("feedback: %s", count.warning)
                alarm = None
        if alarm is not None:
            count.alarm = alarm.state.tobytes()

    def state(self, count: Count) -> PolicyFeedback:
        """The state of a policy."""
        level = _level(count.policy)
        low, high = _bounds(count.judged_errors, count, level)
        labelled = count.judged - count.missing
        by_cost = isinstance(count.policy, RejectCostPolicy)
        return PolicyFeedback(
            policy=count.policy,
            answered=count.answered,
            errors=count.errors,
            abstained=count.abstained,
            judged=count.judged,
            judged_errors=count.judged_errors,
            missing=count.missing,
            waiting=count.waiting,
            selective_risk=count.judged_errors / labelled if labelled else None,
            risk_lower_bound=low,
            risk_upper_bound=high,
            confidence_level=level,
            answer_cost=count.judged_cost / labelled if labelled and by_cost else None,
            promise=self._promise_status(count),
            warning=count.warning,
        )

    def _promise_status(self, count: Count) -> PromiseStatus | None:
        promise = self._promise(count.policy)
        if promise is None:
            return None
        if count.warning is not None:
            return "broken"
        by_cost = isinstance(count.policy, RejectCostPolicy)
        total = count.judged_cost / promise.max_value if by_cost else count.judged_errors
        _, high = _bounds(total, count, _level(count.policy))
        return "confirmed" if high * promise.max_value <= promise.limit else "open"

    def _promise(self, policy: Policy) -> _Promise | None:
        """None for a policy without a promise."""
        match policy:
            case SelectiveRiskPolicy(selective_risk=limit, threshold=float()):
                return _Promise(limit, 1.0)
            case RejectCostPolicy(reject_cost=limit, answer_cost_bound=float()):
                return _Promise(limit, self._max_cost)
            case _:
                return None

    def _cost(self, label: int, truth: int) -> float:
        return float(label != truth) if self._costs is None else self._costs[label][truth]


def _resumed(promise: _Promise, count: Count) -> Alarm:
    """The alarm in its state after the answers judged so far."""
    alarm = Alarm(promise.limit / promise.max_value)
    if count.judged:
        alarm.count, alarm.state = count.judged, np.frombuffer(count.alarm)
    return alarm


def _bounds(total: float, count: Count, level: float) -> tuple[float, float]:
    """Bounds of a mean of values in [0, 1]; the known ones sum to `total`. Missing ones count as 0, then as 1."""
    low, high = confidence_sequence(total, count.judged, level)
    if count.missing:
        _, high = confidence_sequence(total + count.missing, count.judged, level)
    return low, high


def _level(policy: Policy) -> float:
    if isinstance(policy, SelectiveRiskPolicy | RejectCostPolicy):
        return policy.confidence_level
    return CONFIDENCE_LEVEL


def _warning(count: Count) -> str:
    labelled = count.judged - count.missing
    if isinstance(count.policy, RejectCostPolicy):
        result = f"{labelled} answers cost {count.judged_cost:g}"
        promise = f"that an answer costs at most {count.policy.reject_cost} on average"
    else:
        result = f"{count.judged_errors} of {labelled} answers were wrong"
        promise = f"that the risk is at most {getattr(count.policy, count.policy.kind)}"
    test = f"a sequential test at level {1 - _level(count.policy):.4g}"
    return f"the certificate of {count.policy} no longer holds: {result}, and {test} rejects {promise}"
