"""Risk and coverage against sums done by hand, with ties and without."""

import math

import numpy as np
import pytest

from training.reporting.evaluation.risk_coverage import RiskCoverage, best_augrc

# Six examples in four tie groups: 0.9, 0.8 twice, 0.6, 0.5 twice. Cumulative counts 1, 3, 4, 6; errors 0, 1, 1, 3.
CONFIDENCE = np.array([0.5, 0.9, 0.8, 0.6, 0.8, 0.5], dtype=np.float32)
WRONG = np.array([True, False, True, False, False, True])


def test_six_examples_with_ties_by_hand() -> None:
    curve = RiskCoverage.of(CONFIDENCE, WRONG)
    assert curve.answered.tolist() == [1, 3, 4, 6]
    assert curve.errors.tolist() == [0, 1, 1, 3]
    assert curve.thresholds.tolist() == CONFIDENCE[[1, 2, 3, 0]].astype(float).tolist()
    metrics = curve.metrics()
    aurc = 1 / 6 * 0 + 2 / 6 * 1 / 3 + 1 / 6 * 1 / 4 + 2 / 6 * 3 / 6
    assert metrics["aurc"] == pytest.approx(aurc, abs=1e-15)
    assert metrics["e_aurc"] == pytest.approx(aurc - (0.5 + 0.5 * math.log(0.5)), abs=1e-15)
    assert metrics["augrc"] == pytest.approx((1 * 0 + 2 * 1 + 1 * 1 + 2 * 3) / 36, abs=1e-15)
    assert metrics["full_risk"] == 0.5
    assert metrics["coverage_at_risk_0.1"] == 1 / 6
    assert metrics["risk_at_coverage_0.8"] == 0.5  # no threshold between 4 and 6 of them


def test_six_examples_without_ties_by_hand() -> None:
    """Geifman's sum over the m surest: 0, 0, 1/3, 1/4, 2/5, 3/6."""
    metrics = RiskCoverage.of(
        np.array([0.9, 0.85, 0.8, 0.6, 0.55, 0.5]), np.array([False, False, True, False, True, True])
    ).metrics()
    assert metrics["aurc"] == pytest.approx((1 / 3 + 1 / 4 + 2 / 5 + 3 / 6) / 6)
    assert metrics["augrc"] == pytest.approx((1 + 1 + 2 + 3) / 36)
    assert metrics["coverage_at_risk_0.01"] == 2 / 6
    assert metrics["risk_at_coverage_0.8"] == 2 / 5


def test_order_of_the_examples_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(6)
    assert RiskCoverage.of(CONFIDENCE[order], WRONG[order]).metrics() == RiskCoverage.of(CONFIDENCE, WRONG).metrics()


def test_equal_confidences_are_one_point() -> None:
    metrics = RiskCoverage.of(np.full(4, 0.5), np.array([True, False, False, False])).metrics()
    assert (metrics["aurc"], metrics["augrc"]) == (0.25, 0.25)
    assert metrics["coverage_at_risk_0.1"] == 0


def test_coverage_at_risk_need_not_be_the_first_failure() -> None:
    """The surest answer is wrong, and yet one error in ten answers is within 10 %."""
    wrong = np.arange(10) == 0
    assert RiskCoverage.of(np.linspace(1, 0.1, 10), wrong).metrics()["coverage_at_risk_0.1"] == 1.0


def test_perfect_ranking_of_many_has_the_least_areas() -> None:
    n, errors = 100_000, 20_000
    curve = RiskCoverage.of(np.arange(n, 0, -1.0), np.arange(n) >= n - errors)
    metrics = curve.metrics()
    assert metrics["e_aurc"] == pytest.approx(0, abs=1e-5)
    assert metrics["augrc"] == pytest.approx(best_augrc(0.2), abs=1e-5)
    np.testing.assert_array_equal(curve.selective_risk, curve.ideal_risk)


@pytest.mark.parametrize(("wrong", "e_aurc"), [(False, 0.0), (True, 0.0)])
def test_nothing_or_everything_wrong(wrong: bool, e_aurc: float) -> None:
    metrics = RiskCoverage.of(np.linspace(0.1, 0.9, 5), np.full(5, wrong)).metrics()
    assert metrics["aurc"] == float(wrong)
    assert metrics["e_aurc"] == e_aurc
