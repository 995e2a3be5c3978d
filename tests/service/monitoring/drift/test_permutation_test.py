"""The distance of two binned samples, and its p-value."""

import numpy as np
import pytest
from scipy import stats

from service.monitoring.drift.drift import SIGNIFICANCE
from service.monitoring.drift.permutation_test import exact_p_value, population_stability_index


def test_psi_is_that_of_the_formula() -> None:
    p, q = np.array([10, 20, 70]), np.array([30, 30, 40])
    shares_p, shares_q = (p + 0.5) / 101.5, (q + 0.5) / 101.5
    by_hand = stats.entropy(shares_p, shares_q) + stats.entropy(shares_q, shares_p)
    assert population_stability_index(p, q) == pytest.approx(by_hand)


@pytest.mark.parametrize("q", [[520, 285, 195], [600, 240, 160], [592, 240, 168]])
def test_p_value_is_close_to_that_of_the_large_sample_test(q: list[int]) -> None:
    """At each of the three stages."""
    p = np.array([500, 300, 200])
    _, expected, _, _ = stats.chi2_contingency(np.stack([p, q]))
    assert exact_p_value(p, np.array(q)) == pytest.approx(expected, rel=0.7, abs=0.03)


def test_p_value_can_be_small_enough_for_the_level() -> None:
    smallest = exact_p_value(np.array([500, 500]), np.array([700, 300]))
    assert smallest == 1 / 40_000 <= SIGNIFICANCE


def test_same_counts_have_the_same_p_value() -> None:
    p, q = np.array([50, 30, 20]), np.array([40, 30, 30])
    assert exact_p_value(p, q) == exact_p_value(p, q)


def test_p_value_holds_for_small_samples() -> None:
    """Under one population it is at most alpha in at most alpha of the cases, small bins or not."""
    rng = np.random.default_rng(1)
    shares = [0.9, 0.05, 0.03, 0.02]
    p_values = [exact_p_value(rng.multinomial(40, shares), rng.multinomial(25, shares)) for _ in range(1000)]
    for alpha in (0.01, 0.05, 0.2):
        rejected = sum(p <= alpha for p in p_values)
        assert rejected <= stats.binom.ppf(0.9999, 1000, alpha)
