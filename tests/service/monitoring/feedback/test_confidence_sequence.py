"""Bounds that hold at all times at once."""

import numpy as np
import pytest
from scipy.stats import betabinom, binom

from service.monitoring.feedback.confidence_sequence import confidence_sequence


def test_bounds_enclose_the_mean_and_tighten() -> None:
    widths = []
    for count in (10, 100, 1000, 100_000):
        low, high = confidence_sequence(0.3 * count, count, 0.95)
        assert 0 < low < 0.3 < high < 1
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.02


@pytest.mark.parametrize(("errors", "count"), [(0, 1), (0, 50), (50, 50), (3, 50), (25, 50)])
def test_bounds_are_where_the_likelihood_ratio_is_twenty(errors: int, count: int) -> None:
    """The mixture is the beta-binomial, which scipy implements."""
    for bound in confidence_sequence(errors, count, 0.95):
        if 0 < bound < 1:
            ratio = betabinom.pmf(errors, count, 0.5, 0.5) / binom.pmf(errors, count, bound)
            assert ratio == pytest.approx(20, rel=1e-9)


def test_false_alarms_over_all_looks_are_as_rare_as_promised() -> None:
    """2,000 streams of 1,000 outcomes at exactly the promised risk, each tested after every outcome."""
    risk, streams, length = 0.05, 2000, 1000
    outcomes = np.random.default_rng(0).random((streams, length)) < risk
    errors = outcomes.cumsum(axis=1)
    lower = [
        [confidence_sequence(k, n, 0.95)[0] if n else 0.0 for k in range(int(errors[:, n - 1].max()) + 1)]
        for n in range(1, length + 1, 25)
    ]
    alarmed = np.zeros(streams, dtype=bool)
    for bounds, n in zip(lower, range(1, length + 1, 25), strict=True):
        alarmed |= np.array(bounds)[errors[:, n - 1]] > risk
    assert alarmed.mean() <= 0.05
    assert alarmed.any()  # an alarm is possible at all


def test_real_losses_between_0_and_1_are_bounded_too() -> None:
    losses = np.random.default_rng(0).choice([0.0, 0.25, 1.0], size=(500, 400), p=[0.8, 0.1, 0.1])
    mean = 0.125
    outside = 0
    for row in losses.cumsum(axis=1):
        bounds = [confidence_sequence(float(row[n - 1]), n, 0.95) for n in (10, 50, 100, 200, 400)]
        outside += any(not low <= mean <= high for low, high in bounds)
    assert outside / len(losses) <= 0.05
