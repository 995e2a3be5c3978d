"""Tails and bounds against exact arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest

from training.certification.tails import (
    binomial_p_value,
    clopper_pearson_lower,
    clopper_pearson_upper,
    mean_p_value,
    mean_upper,
)


def _tail(errors: int, answered: int, risk: Fraction) -> Fraction:
    """P(Bin(answered, risk) <= errors), exactly."""
    terms = (math.comb(answered, k) * risk**k * (1 - risk) ** (answered - k) for k in range(errors + 1))
    return sum(terms, Fraction(0))


@pytest.mark.parametrize("answered", [1, 2, 17, 200])
@pytest.mark.parametrize("risk", [Fraction(1, 100), Fraction(1, 20), Fraction(1, 2)])
def test_p_value_is_the_exact_tail(answered: int, risk: Fraction) -> None:
    errors = np.arange(answered + 1)
    exact = np.array([float(_tail(k, answered, risk)) for k in errors.tolist()])
    p_values = binomial_p_value(errors, np.full_like(errors, answered), float(risk))
    assert (np.abs(p_values - exact) <= 1e-12 * exact).all()


def test_p_value_without_answers_is_1() -> None:
    assert float(binomial_p_value(0, 0, 0.05)) == 1.0


@pytest.mark.parametrize(("errors", "answered"), [(0, 59), (1, 49), (14, 22), (15, 22), (1, 1), (0, 1), (199, 200)])
def test_clopper_pearson_is_the_risk_at_which_the_tail_is_five_percent(errors: int, answered: int) -> None:
    upper = clopper_pearson_upper(errors, answered, 0.95)
    if errors == answered:
        assert upper == 1.0
    else:
        assert float(_tail(errors, answered, Fraction(upper))) == pytest.approx(0.05, rel=1e-9)
    lower = clopper_pearson_lower(errors, answered, 0.95)
    if errors == 0:
        assert lower == 0.0
    else:
        assert 1 - float(_tail(errors - 1, answered, Fraction(lower))) == pytest.approx(0.05, rel=1e-9)


def test_bound_and_p_value_agree() -> None:
    for errors in range(60):
        certified = float(binomial_p_value(errors, 1000, 0.04)) <= 0.05
        assert certified == (clopper_pearson_upper(errors, 1000, 0.95) <= 0.04)


def test_mean_of_zeros_and_ones_is_binomial() -> None:
    losses = np.array([0.0] * 95 + [1.0] * 5)
    assert mean_p_value(losses, 0.1, binary=True) == float(binomial_p_value(5, 100, 0.1))
    assert mean_upper(losses, 0.95, binary=True) == clopper_pearson_upper(5, 100, 0.95)


@pytest.mark.parametrize("mean", [0.01, 0.2, 0.7])
def test_bound_of_a_mean_is_where_its_p_value_falls_to_five_percent(mean: float) -> None:
    losses = np.random.default_rng(0).beta(1, (1 - mean) / mean, size=500)
    upper = mean_upper(losses, 0.95, binary=False)
    assert losses.mean() < upper < 1
    assert mean_p_value(losses, upper + 1e-9, binary=False) <= 0.05 <= mean_p_value(losses, upper - 1e-9, binary=False)


def test_mean_p_value_at_its_limits() -> None:
    half = np.full(100, 0.5)
    assert mean_p_value(half, 0.4, binary=False) == 1.0
    assert mean_p_value(half, 1.0, binary=False) == 0.0
    assert mean_p_value(half, 0.0, binary=False) == 1.0
    assert mean_p_value(np.array([]), 0.5, binary=False) == 1.0
    assert mean_upper(np.array([]), 0.95, binary=False) == 1.0
    assert mean_upper(np.ones(5), 0.95, binary=False) == 1.0
