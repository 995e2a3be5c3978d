"""The audit sample: which answers are judged, when and in which order, and how missing labels count."""

import sqlite3
from pathlib import Path

import pytest

from service.contract.errors import Conflict
from service.contract.policy import PolicyRequest, ThresholdPolicy
from service.inference.decision import resolve
from service.inference.prediction_id import PredictionIds
from service.monitoring.feedback.confidence_sequence import confidence_sequence
from service.monitoring.feedback.feedback import Feedback
from service.monitoring.feedback.schema import PolicyFeedback
from service.monitoring.feedback.store import MAX_THRESHOLDS, FeedbackStore
from tests import tiny

VERSION = "0123456789ab"
LEFT, RIGHT = 1, 2  # labels of the tiny model
DEADLINE = 1000.0
RISK = PolicyRequest(selective_risk=0.1)


class Audited:
    """One process that audits every answer, with a clock that the test sets."""

    def __init__(self, path: Path | None = None, max_remembered: int = 1000) -> None:
        self.time = 10_000.0
        store = FeedbackStore(path, max_remembered, f"tiny {VERSION}")
        self.feedback = Feedback(tiny.manifest(), VERSION, store, deadline_seconds=DEADLINE, now=lambda: self.time)
        self._ids = PredictionIds(VERSION, 1, self.feedback.register, now=lambda: self.time)

    def answer(self, requested: PolicyRequest = RISK, label: int = LEFT) -> str:
        """Give an answer; returns its id."""
        return self._ids.under(resolve(requested, tiny.abstention()))(label)[0]

    def state(self) -> PolicyFeedback:
        """The state of the only policy."""
        (state,) = self.feedback.states()
        return state


def _counts(state: PolicyFeedback) -> tuple[int, int, int, int]:
    return state.judged, state.judged_errors, state.missing, state.waiting


def test_answers_are_judged_in_the_order_in_which_they_were_given() -> None:
    process = Audited()
    first, second, third = (process.answer() for _ in range(3))
    early = process.feedback.record(second, "right")  # the label of an error, which comes first
    assert (early.answered, early.errors) == (1, 1)
    assert _counts(early) == (0, 0, 0, 3)
    assert (early.selective_risk, early.risk_lower_bound, early.risk_upper_bound) == (None, 0, 1)
    assert _counts(process.feedback.record(first, "left")) == (2, 1, 0, 1)
    assert _counts(process.feedback.record(third, "left")) == (3, 1, 0, 0)
    assert process.state().selective_risk == pytest.approx(1 / 3)


def test_policies_do_not_wait_for_one_another() -> None:
    process = Audited()
    process.answer(PolicyRequest(threshold=0.5))
    assert _counts(process.feedback.record(process.answer(), "left")) == (1, 0, 0, 0)


def test_labels_of_other_answers_are_counted_but_not_judged() -> None:
    process = Audited()
    give = PredictionIds(VERSION).under(resolve(RISK, tiny.abstention()))
    for _ in range(20):
        state = process.feedback.record(give(LEFT)[0], "right")
    assert (state.answered, state.errors, state.promise) == (20, 20, "open")
    assert _counts(state) == (0, 0, 0, 0)
    assert process.feedback.record(give(None)[0], "right").abstained == 1


def test_missing_label_is_conservative_in_both_directions() -> None:
    process = Audited()
    lost, wrong = process.answer(), process.answer()
    process.feedback.record(wrong, "right")
    process.time += DEADLINE
    assert _counts(process.state()) == (0, 0, 0, 2)  # not older than the deadline yet
    process.time += 1
    state = process.state()
    assert _counts(state) == (2, 1, 1, 0)
    assert state.selective_risk == 1  # of the one with a label
    assert state.risk_lower_bound == confidence_sequence(1, 2, 0.95)[0]
    assert state.risk_upper_bound == confidence_sequence(2, 2, 0.95)[1]
    late = process.feedback.record(lost, "left")
    assert (late.answered, late.errors) == (2, 1)
    assert (late.judged, late.missing, late.risk_upper_bound) == (2, 1, state.risk_upper_bound)


def test_promise_is_neither_broken_nor_confirmed_by_missing_labels() -> None:
    process = Audited()
    for _ in range(200):
        process.answer()
    process.feedback.settle()
    process.time += DEADLINE + 1
    process.feedback.record(process.answer(), "left")
    state = process.state()
    assert _counts(state) == (201, 0, 200, 0)
    assert (state.promise, state.risk_lower_bound) == ("open", 0)
    assert state.risk_upper_bound == pytest.approx(confidence_sequence(200, 201, 0.95)[1])


def test_register_is_bounded_and_dropped_answers_are_missing() -> None:
    process = Audited(max_remembered=3)
    ids = [process.answer() for _ in range(5)]
    process.feedback.record(ids[4], "left")
    assert _counts(process.state()) == (2, 0, 2, 3)


def test_label_before_its_registration_waits_for_it(tmp_path: Path) -> None:
    answering, other = (Audited(tmp_path / "feedback") for _ in range(2))
    identity = answering.answer()
    state = other.feedback.record(identity, "right")  # it reaches another worker, which knows nothing of the answer yet
    assert (state.answered, *_counts(state)) == (1, 0, 0, 0, 0)
    answering.feedback.settle()
    assert _counts(other.state()) == (1, 1, 0, 0)
    with pytest.raises(Conflict, match="already has feedback"):
        other.feedback.record(identity, "left")


def test_two_workers_of_one_file_agree(tmp_path: Path) -> None:
    workers = [Audited(tmp_path / "feedback") for _ in range(2)]
    ids = [workers[i % 2].answer() for i in range(40)]
    for worker in workers:
        worker.feedback.settle()
    for i, identity in enumerate(ids):
        workers[i // 2 % 2].feedback.record(identity, "left" if i % 4 else "right")
    assert workers[0].state() == workers[1].state()
    assert (workers[0].state().answered, *_counts(workers[0].state())) == (40, 40, 10, 0, 0)


def test_audited_answer_is_known_even_if_it_is_older_than_all_remembered_labels() -> None:
    process = Audited(max_remembered=3)
    slow = process.answer()
    process.time += 10
    plain = PredictionIds(VERSION, now=lambda: process.time).under(resolve(RISK, tiny.abstention()))
    for _ in range(10):  # labels of later predictions push out all that are older
        process.feedback.record(plain(LEFT)[0], "left")
        process.time += 1
    assert _counts(process.feedback.record(slow, "right")) == (1, 1, 0, 0)


def test_answers_are_forgotten_with_their_threshold() -> None:
    process = Audited()
    for step in range(2 * MAX_THRESHOLDS):
        process.answer(PolicyRequest(threshold=step / 1000))
    process.feedback.settle()
    process.time += DEADLINE + 1
    assert len(process.feedback.states()) == MAX_THRESHOLDS
    assert process.feedback.of_thresholds().missing == MAX_THRESHOLDS


def test_everything_outlives_the_process(tmp_path: Path) -> None:
    before = Audited(tmp_path / "feedback")
    ids = [before.answer() for _ in range(6)]
    for identity, label in zip(ids, ("right", "left", "left"), strict=False):
        before.feedback.record(identity, label)
    before.feedback.record(ids[4], "left")
    states = before.feedback.states()
    after = Audited(tmp_path / "feedback")
    assert after.feedback.states() == states
    assert _counts(states[0]) == (3, 1, 0, 3)
    after.feedback.record(ids[0], "right")  # remembered
    assert _counts(after.feedback.record(ids[3], "left")) == (5, 1, 0, 1)
    alone = Audited()
    for label in ("right", "left", "left", "left", "left"):
        alone.feedback.record(alone.answer(), label)
    # The alarm continues from its stored state: it needs as many errors as an uninterrupted one.
    steps = []
    for process in (after, alone):
        process.feedback.record(ids[5] if process is after else process.answer(), "right")
        steps.append(1)
        while process.feedback.record(process.answer(), "right").promise != "broken":
            steps[-1] += 1
    assert steps[0] == steps[1] > 1
    assert Audited(tmp_path / "feedback").state().promise == "broken"


def test_answers_that_cannot_be_written_are_registered_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Audited(tmp_path / "feedback")
    process.feedback.settle()
    identity = process.answer()
    monkeypatch.setattr("service.monitoring.feedback.database._LOCK_SECONDS", 0)
    with sqlite3.connect(tmp_path / "feedback", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            process.feedback.settle()
        other.execute("ROLLBACK")
    other.close()
    assert _counts(process.feedback.record(identity, "left")) == (1, 0, 0, 0)


def test_models_in_one_file_are_counted_separately(tmp_path: Path) -> None:
    stores = [FeedbackStore(tmp_path / "feedback", 100, name) for name in ("a 0123", "b 0123")]
    for store, labels in zip(stores, (1, 2), strict=True):
        feedback = Feedback(tiny.manifest(), VERSION, store, counted="all")
        give = PredictionIds(VERSION).under(ThresholdPolicy(threshold=0.5))
        for _ in range(labels):
            feedback.record(give(LEFT)[0], "left")
    assert [store.counts()[0].answered for store in stores] == [1, 2]


def test_confidence_is_the_certificates_own() -> None:
    plain = tiny.abstention()
    risks = [one.model_copy(update={"confidence_level": 0.8}) for one in plain.selective_risk]
    abstention = plain.model_copy(update={"selective_risk": risks})
    manifest = tiny.manifest().model_copy(update={"abstention": abstention})
    feedback = Feedback(manifest, VERSION, FeedbackStore(None, 100), counted="all")
    give = PredictionIds(VERSION).under(resolve(RISK, abstention))
    state = feedback.record(give(LEFT)[0], "right")
    assert (state.confidence_level, state.risk_lower_bound) == (0.8, confidence_sequence(1, 1, 0.8)[0])
    errors = 1
    while state.promise != "broken":
        state, errors = feedback.record(give(LEFT)[0], "right"), errors + 1
    assert errors == 4  # one fewer than at 0.95, where the evidence must reach 20 instead of 5
    assert state.warning is not None
    assert "a sequential test at level 0.2 rejects" in state.warning
    plainly = PredictionIds(VERSION).under(ThresholdPolicy(threshold=0.5))
    assert feedback.record(plainly(LEFT)[0], "left").confidence_level == 0.95
