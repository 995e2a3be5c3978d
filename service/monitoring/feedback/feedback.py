"""Feedback: counts true labels, which arrive after the predictions, by policy, to test whether the promises hold.

Labels do not arrive in the order of the answers. If those of errors arrive first, a count of the labels so far is
biased. So the conclusions are drawn from an audit sample: `prediction_id.py` draws it at the time of the answers, and
its answers are judged in their order.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial

from pydantic import ValidationError

from service.contract.certificates import Abstention
from service.contract.errors import Conflict, InvalidValue
from service.contract.manifest import Manifest
from service.contract.policy import Policy, PolicyRequest
from service.contract.validation import display, truncated
from service.inference.decision import resolve
from service.inference.prediction_id import PredictionId
from service.monitoring.feedback.counts import Answer, Count, Given, Key, Totals
from service.monitoring.feedback.judging import Judge
from service.monitoring.feedback.schema import PolicyFeedback
from service.monitoring.feedback.store import FeedbackStore
from service.settings import FeedbackCounts

DEADLINE_SECONDS = 7 * 24 * 3600
_MAX_CACHED_POLICIES = 256
_MAX_GIVEN = 100_000  # audited answers that wait while the database cannot be written


class Feedback:
    """Counts the feedback on one model's predictions, and tests the certificates with it."""

    def __init__(
        self,
        manifest: Manifest,
        version: str,
        store: FeedbackStore,
        *,
        counted: FeedbackCounts = "audited",
        deadline_seconds: float = DEADLINE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`counted` selects the answers to judge: those of the audit sample in order, or all as their labels arrive.

        After `deadline_seconds` an audited answer is judged without its label.
        """
        self._labels = {label: index for index, label in enumerate(manifest.labels)}
        # Not a method, which would be a reference cycle: a replaced model must be freed at once.
        self._policy = lru_cache(_MAX_CACHED_POLICIES)(partial(_policy, manifest.abstention))
        self._version = version
        self._store = store
        self._judge = Judge(manifest.abstention)
        self._counted = counted
        self._deadline_seconds = deadline_seconds
        self._now = now
        self._given: deque[str] = deque(maxlen=_MAX_GIVEN)
        self.register = self._given.append
        """Takes the id of an audited answer at the time of the answer; `settle` puts it into the store."""

    def record(self, prediction_id: str, true_label: str) -> PolicyFeedback:
        """Count one prediction's true label and return the state of its policy.

        Repeated feedback changes nothing. Raises InvalidValue for an id that is not this model's, for an unknown label,
        and for an id so old that its label may have been counted and forgotten; Conflict for a second, different label.
        """
        prediction = self._decoded(prediction_id)
        truth = self._labels.get(true_label)
        if truth is None:
            raise InvalidValue("label", f"={display(true_label)} is not one of {truncated(', '.join(self._labels))}")
        policy = self._policy(prediction.policy_field, prediction.policy_value)
        key = Key(prediction.seconds, prediction.nonce)
        self.settle()
        with self._store.transaction():
            earlier = self._store.truth(key)
            if earlier not in (None, truth):
                raise Conflict(f"id={prediction_id} already has feedback with another label: the first one counts")
            if earlier is None and self._store.may_be_forgotten(key):
                rule = " is older than the remembered labels, so it may have been counted before"
                raise InvalidValue("id", f"={prediction_id}{rule}; DEMUR_MAX_FEEDBACK sets how many are remembered")
            count = self._store.count(policy)
            if earlier is None:
                self._store.remember(key, truth)
                self._add(count, prediction.label, truth)
                self._store.save(count)
        return self._judge.state(count)

    def settle(self) -> None:
        """Register the new audited answers, and judge those that are due. May be called at any time.

        Raises sqlite3.Error if the store cannot be written; the answers are then kept for the next call.
        """
        if not self.has_work():
            return
        given: list[str] = []
        try:
            with self._store.transaction():
                with suppress(IndexError):
                    while True:
                        given.append(self._given.popleft())
                if given:
                    self._store.register(map(self._entry, given))
                for count in self._store.due(self._overdue()):
                    self._judge_waiting(count)
                    self._store.save(count)
        except BaseException:
            self._given.extendleft(reversed(given))
            raise

    def has_work(self) -> bool:
        """Whether `settle` may have work."""
        return bool(self._given) or not self._store.is_empty()

    def states(self, *, made_up: bool = True) -> list[PolicyFeedback]:
        """The state of every policy with feedback; of thresholds, which clients choose, only if `made_up`."""
        with suppress(
            sqlite3.Error
        ):  # if the store cannot be written, which is logged every second, show its last state
            self.settle()
        return [self._judge.state(count) for count in self._store.counts(made_up=made_up)]

    def of_thresholds(self) -> Totals:
        """The feedback on all thresholds together."""
        return self._store.thresholds()

    def _add(self, count: Count, label: int | None, truth: int) -> None:
        """Count a label that has just been remembered."""
        if label is None:
            count.abstained += 1
            return
        count.answered += 1
        count.errors += label != truth
        if self._counted == "all":
            self._judge.add(count, [Answer(label, truth)])
        else:
            self._judge_waiting(count)

    def _judge_waiting(self, count: Count) -> None:
        """Judge the answers of a policy that are due."""
        answers = self._store.take(count, self._overdue())
        count.waiting -= len(answers)
        self._judge.add(count, answers)

    def _overdue(self) -> float:
        """The time before which answers are judged without a label."""
        return self._now() - self._deadline_seconds

    def _entry(self, prediction_id: str) -> Given:
        prediction = PredictionId.decode(prediction_id)
        assert prediction.label is not None  # abstentions are not audited
        policy = self._policy(prediction.policy_field, prediction.policy_value)
        return Given(Key(prediction.seconds, prediction.nonce), policy, prediction.label)

    def _decoded(self, text: str) -> PredictionId:
        try:
            prediction = PredictionId.decode(text)
        except ValueError as error:
            raise InvalidValue("id", f"={display(text)} is {error}") from None
        if prediction.version != self._version:
            raise InvalidValue("id", f" is of model {prediction.version}, and this is {self._version}")
        if prediction.label is not None and prediction.label >= len(self._labels):
            raise InvalidValue("id", f"={display(text)} is not the id of a prediction of this model")
        return prediction


def _policy(abstention: Abstention | None, field: str, value: float) -> Policy:
    """The policy that an id names."""
    try:
        request = PolicyRequest.model_validate({field: True if field == "never_abstain" else value})
        return resolve(request, abstention)
    except (ValidationError, InvalidValue):  # a made-up id
        raise InvalidValue("id", " is not the id of a prediction of this model") from None
