"""Asking again with a laxer risk after an abstention: the arithmetic of `make abstention`."""

import numpy as np
import pytest

from benchmarks.abstention import Resubmission, resubmit
from benchmarks.population import Population
from service.inference.classifier import Scores
from training.certification.scored import Scored

CONFIDENCE = np.array([0.9, 0.8, 0.7, 0.6, 0.55, 0.95], np.float32)
LABELS = np.array([0, 0, 1, 1, 0, 1])  # class 0 is always the likeliest: the third, the fourth and the last are wrong
ELIGIBLE = np.array([True, True, True, True, True, False])


@pytest.fixture
def pool() -> Population:
    scores = Scores(np.stack([CONFIDENCE, 1 - CONFIDENCE], axis=1), CONFIDENCE, np.zeros(6, np.float32))
    return Population(Scored(scores, LABELS, "by hand", "0" * 64), ELIGIBLE)


def test_inputs_between_the_two_thresholds_are_counted(pool: Population) -> None:
    """At 0.85 one is answered; at 0.65 also 0.8 and 0.7, of which one is wrong; at 0.5 also 0.6 and 0.55."""
    resubmissions = resubmit(pool, {0.01: [0.85], 0.05: [0.65], 0.1: [0.5]})
    assert resubmissions == [Resubmission(0.01, 0.05, 2 / 6, 0.5, 1), Resubmission(0.05, 0.1, 2 / 6, 0.5, 1)]


def test_input_at_the_threshold_is_answered_the_first_time(pool: Population) -> None:
    at = float(CONFIDENCE[1])
    (resubmission,) = resubmit(pool, {0.01: [at], 0.05: [float(CONFIDENCE[2])]})
    assert (resubmission.share, resubmission.wrong) == (1 / 6, 1.0)  # 0.7 alone


def test_means_cover_splits_with_both_risks_and_inputs_in_between(pool: Population) -> None:
    """0.8 and 0.7, one wrong; 0.7 to 0.55, two of three wrong; infeasible twice; no input in between."""
    strict, lax = [0.85, 0.75, None, 0.75, 0.75], [0.65, 0.5, 0.5, None, 0.75]
    (resubmission,) = resubmit(pool, {0.05: strict, 0.1: lax})
    assert resubmission.splits == 2
    assert resubmission.share == pytest.approx((2 / 6 + 3 / 6) / 2)
    assert resubmission.wrong == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_pair_is_left_out_if_no_split_has_both_risks(pool: Population) -> None:
    assert resubmit(pool, {0.01: [None], 0.05: [0.65], 0.1: [0.65]}) == []
