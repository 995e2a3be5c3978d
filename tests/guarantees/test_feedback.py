"""The alarm on feedback: its false alarm rate, its delay, and the effect of late and missing labels.

Answers are wrong with a fixed probability, so the truth is known.
"""

import heapq
import random
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from service.contract.certificates import Abstention
from service.inference.prediction_id import PredictionIds
from service.monitoring.feedback.alarm import Alarm
from service.monitoring.feedback.feedback import Feedback
from service.monitoring.feedback.schema import PolicyFeedback
from service.monitoring.feedback.store import FeedbackStore
from service.settings import FeedbackCounts
from tests import tiny
from tests.guarantees.limits import MOST_VIOLATIONS, REPEATS

pytestmark = pytest.mark.guarantee

PROMISED = 0.05
EVIDENCE = 20  # at which an alarm of confidence 0.95 is raised
VERSION = "0123456789ab"
WHOLE_RUNS = 40  # of all of Feedback, which takes longer than its alarm alone
MOST_FALSE = int(binom.ppf(0.999, WHOLE_RUNS, 0.05))
ERRORS_AFTER, OTHERS_AFTER = 50.0, 500.0  # answers, on average, until the label comes
NEVER = np.inf


def _certified() -> Abstention:
    """The certificates of the tiny model, with the promised risk of this test."""
    plain = tiny.abstention()
    (certificate,) = (each for each in plain.selective_risk if each.status == "certified")
    promise = certificate.model_copy(update={"selective_risk": PROMISED, "risk_bound": PROMISED})
    return plain.model_copy(update={"selective_risk": [promise]})


ABSTENTION = _certified()


def _alarms(wrong: NDArray[np.bool_], alarm: Alarm | None = None) -> NDArray[np.float64]:
    """The number of labels before the first alarm of each run, infinite if none; `wrong` is `[labels, runs]`."""
    alarm = alarm or Alarm(PROMISED, (wrong.shape[1],))
    first = np.full(wrong.shape[1], np.inf)
    for count, values in enumerate(wrong, 1):
        alarm.add(values)
        first[(alarm.evidence() >= EVIDENCE) & np.isinf(first)] = count
    return first


def _delays(rng: np.random.Generator, wrong: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The delay of each label, in answers: exponential, and shorter for errors."""
    return rng.exponential(np.where(wrong, ERRORS_AFTER, OTHERS_AFTER))


def _told(
    wrong: NDArray[np.bool_], delays: NDArray[np.float64], share: float, counted: FeedbackCounts = "audited"
) -> PolicyFeedback:
    """The state of Feedback after a run of one answer a second; `wrong` and `delays` are `[answers]`."""
    moment = 0.0
    manifest = tiny.manifest().model_copy(update={"abstention": ABSTENTION})
    store = FeedbackStore(None, 10**6)
    feedback = Feedback(manifest, VERSION, store, counted=counted, deadline_seconds=86_400, now=lambda: moment)
    policy = ABSTENTION.selective_risk[0].policy()
    give = PredictionIds(VERSION, share, feedback.register, now=lambda: moment).under(policy)
    coming: list[tuple[float, str, str]] = []
    for second, (error, delay) in enumerate(zip(wrong.tolist(), delays.tolist(), strict=True)):
        moment = float(second)
        for _, identity, truth in _come(coming, moment):
            feedback.record(identity, truth)
        identity, audit = give(1)
        if (audit or counted == "all") and delay != NEVER:
            heapq.heappush(coming, (second + delay, identity, tiny.LABELS[2 if error else 1]))
    for at, identity, truth in _come(coming, NEVER):
        moment = max(moment, at)
        feedback.record(identity, truth)
    moment += 2 * 86_400.0
    (state,) = feedback.states()
    return state


def _come(coming: list[tuple[float, str, str]], until: float) -> Iterator[tuple[float, str, str]]:
    while coming and coming[0][0] <= until:
        yield heapq.heappop(coming)


def test_false_alarms_are_rare_even_with_checks_after_every_label() -> None:
    rng = np.random.default_rng(0)
    first_alarms = _alarms(rng.random((20_000, REPEATS)) < PROMISED)
    assert np.isfinite(first_alarms).sum() <= MOST_VIOLATIONS


def test_false_alarms_are_rare_for_fractional_costs() -> None:
    rng = np.random.default_rng(1)
    costs = rng.beta(0.2, 0.2 * (1 - PROMISED) / PROMISED, (20_000, REPEATS))  # of mean PROMISED
    alarm = Alarm(PROMISED, (REPEATS,))
    false = np.zeros(REPEATS, bool)
    for values in costs:
        alarm.add(values)
        false |= alarm.evidence() >= EVIDENCE
    assert false.sum() <= MOST_VIOLATIONS


def test_good_past_does_not_hide_a_shift() -> None:
    rng = np.random.default_rng(2)
    alarm = Alarm(PROMISED, (REPEATS,))
    before = _alarms(rng.random((10_000, REPEATS)) < 0.035, alarm)
    assert np.isinf(before).all()
    assert np.median(_alarms(rng.random((6_000, REPEATS)) < 0.08, alarm)) <= 2_000
    assert np.median(_alarms(rng.random((6_000, REPEATS)) < 0.08)) <= 800


def test_counting_labels_as_they_come_breaks_a_kept_promise_if_errors_come_first() -> None:
    rng = np.random.default_rng(3)
    wrong = rng.random((5_000, REPEATS)) < 0.04
    came = np.argsort(np.arange(5_000)[:, None] + _delays(rng, wrong), axis=0)
    in_order, as_they_came = _alarms(wrong), _alarms(np.take_along_axis(wrong, came, axis=0))
    assert np.isfinite(as_they_came).mean() > 0.4
    assert np.isfinite(in_order).sum() <= MOST_VIOLATIONS


def _broken(share: float, counted: FeedbackCounts) -> int:
    rng = np.random.default_rng(5)
    random.seed(4)  # which draws the audit sample
    broken = 0
    for _ in range(WHOLE_RUNS):
        wrong = rng.random(1_500) < 0.04
        broken += _told(wrong, _delays(rng, wrong), share, counted).promise == "broken"
    return broken


def test_audited_answers_are_judged_in_their_own_order() -> None:
    assert _broken(0.5, "audited") <= MOST_FALSE
    assert _broken(0, "all") > 0.3 * WHOLE_RUNS


def test_labels_that_never_come_neither_break_nor_confirm_a_promise() -> None:
    rng = np.random.default_rng(6)
    broken = confirmed = 0
    for _ in range(WHOLE_RUNS // 2):
        wrong = rng.random(1_000) < 0.04  # labels of right answers are missing: of those that come 8 % are errors
        never = ~wrong & (rng.random(wrong.size) < 0.5)
        state = _told(wrong, np.where(never, NEVER, 1.0), 1)
        assert state.missing == never.sum()
        assert state.selective_risk is not None
        assert state.selective_risk > PROMISED
        broken += state.promise == "broken"
        wrong = rng.random(1_000) < 0.08  # labels of errors are missing: all that come are of right answers
        state = _told(wrong, np.where(wrong, NEVER, 1.0), 1)
        assert state.selective_risk == 0
        confirmed += state.promise == "confirmed"
    assert (broken, confirmed) == (0, 0)
