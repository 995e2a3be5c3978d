"""Intervals: reproducible, of the right width, and equal to those of resamples measured directly."""

import time

import numpy as np
import pytest

from training.reporting.evaluation import bootstrap
from training.reporting.evaluation.risk_coverage import RiskCoverage


def _example(size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    confidence = rng.integers(1, 200, size) / 200  # with many ties
    return confidence, rng.random(size) > confidence


def test_value_equals_the_curve_and_lies_inside_the_interval() -> None:
    confidence, wrong = _example(500)
    estimates = bootstrap.risk_coverage(confidence, wrong, resamples=200)
    assert {name: estimate.value for name, estimate in estimates.items()} == RiskCoverage.of(
        confidence, wrong
    ).metrics()
    assert all(estimate.low <= estimate.value <= estimate.high for estimate in estimates.values())


def test_same_seed_gives_the_same_interval() -> None:
    confidence, wrong = _example(300)
    first, again, other = (bootstrap.risk_coverage(confidence, wrong, resamples=100, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first["aurc"] != other["aurc"]


def test_presorted_counts_equal_measuring_the_resample() -> None:
    confidence, wrong = _example(40)
    drawn = bootstrap._draw(np.random.default_rng(0), 30, 40)
    assert (drawn.sum(axis=1) == 40).all()
    order = np.argsort(-confidence, kind="stable")
    rows = [np.repeat(order, counts) for counts in drawn]  # positions in the sorted order
    long_way = np.array([RiskCoverage.of(confidence[row], wrong[row]).metrics()["aurc"] for row in rows])
    estimate = bootstrap.risk_coverage(confidence, wrong, resamples=30, seed=0)["aurc"]
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(long_way, [0.025, 0.975])), abs=1e-12)


def test_interval_of_an_error_rate_is_close_to_the_binomial_one() -> None:
    wrong = np.arange(2000) < 200
    estimate = bootstrap.risk_coverage(np.full(2000, 0.5), wrong)["full_risk"]
    width = 1.96 * np.sqrt(0.1 * 0.9 / 2000)
    assert (estimate.low, estimate.high) == pytest.approx((0.1 - width, 0.1 + width), abs=0.0015)


def test_thousand_resamples_of_five_thousand_take_seconds() -> None:
    confidence, wrong = _example(5000)
    start = time.perf_counter()
    bootstrap.risk_coverage(confidence, wrong)
    assert time.perf_counter() - start < 5


def test_groups_are_resampled_as_units() -> None:
    """100 examples repeated ten times carry no more information, so the interval is as wide."""
    rng = np.random.default_rng(1)
    confidence, wrong = rng.random(100), rng.random(100) < 0.2
    often = np.repeat(np.arange(100), 10)
    once = bootstrap.risk_coverage(confidence, wrong)["full_risk"]
    grouped = bootstrap.risk_coverage(confidence[often], wrong[often], often)["full_risk"]
    as_rows = bootstrap.risk_coverage(confidence[often], wrong[often])["full_risk"]
    assert grouped.value == once.value
    assert (grouped.low, grouped.high) == pytest.approx((once.low, once.high), abs=0.02)
    assert as_rows.high - as_rows.low < 0.5 * (once.high - once.low)
