"""Intervals: reproducible, of the right width, and those of a resample that is measured the long way."""

import time

import numpy as np
import pytest

from training.reporting.evaluation import bootstrap
from training.reporting.evaluation.risk_coverage import RiskCoverage


def _example(size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    confidence = rng.integers(1, 200, size) / 200  # with many ties
    return confidence, rng.random(size) > confidence


def test_value_is_that_of_the_curve_and_lies_inside() -> None:
    confidence, wrong = _example(500)
    estimates = bootstrap.risk_coverage(confidence, wrong, resamples=200)
    assert {name: estimate.value for name, estimate in estimates.items()} == RiskCoverage.of(
        confidence, wrong
    ).metrics()
    assert all(estimate.low <= estimate.value <= estimate.high for estimate in estimates.values())


def test_same_seed_same_interval() -> None:
    confidence, wrong = _example(300)
    first, again, other = (bootstrap.risk_coverage(confidence, wrong, resamples=100, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first["aurc"] != other["aurc"]


def test_presorted_counts_measure_what_the_resample_itself_would() -> None:
    confidence, wrong = _example(40)
    drawn = bootstrap._draw(np.random.default_rng(0), 30, 40)
    assert (drawn.sum(axis=1) == 40).all()
    order = np.argsort(-confidence, kind="stable")
    rows = [np.repeat(order, counts) for counts in drawn]  # places in the sorted order
    long_way = np.array([RiskCoverage.of(confidence[row], wrong[row]).metrics()["aurc"] for row in rows])
    estimate = bootstrap.risk_coverage(confidence, wrong, resamples=30, seed=0)["aurc"]
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(long_way, [0.025, 0.975])), abs=1e-12)


def test_interval_of_an_error_rate_is_about_the_binomials() -> None:
    wrong = np.arange(2000) < 200
    estimate = bootstrap.risk_coverage(np.full(2000, 0.5), wrong)["full_risk"]
    width = 1.96 * np.sqrt(0.1 * 0.9 / 2000)
    assert (estimate.low, estimate.high) == pytest.approx((0.1 - width, 0.1 + width), abs=0.0015)


def test_thousand_resamples_of_five_thousand_take_seconds() -> None:
    confidence, wrong = _example(5000)
    start = time.perf_counter()
    bootstrap.risk_coverage(confidence, wrong)
    assert time.perf_counter() - start < 5


def test_groups_are_drawn_whole() -> None:
    """100 examples ten times over tell no more than once, and their interval is as wide."""
    rng = np.random.default_rng(1)
    confidence, wrong = rng.random(100), rng.random(100) < 0.2
    often = np.repeat(np.arange(100), 10)
    once = bootstrap.risk_coverage(confidence, wrong)["full_risk"]
    grouped = bootstrap.risk_coverage(confidence[often], wrong[often], often)["full_risk"]
    as_rows = bootstrap.risk_coverage(confidence[often], wrong[often])["full_risk"]
    assert grouped.value == once.value
    assert (grouped.low, grouped.high) == pytest.approx((once.low, once.high), abs=0.02)
    assert as_rows.high - as_rows.low < 0.5 * (once.high - once.low)
