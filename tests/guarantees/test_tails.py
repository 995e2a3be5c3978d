"""The p-values and bounds of the certificates, against exact arithmetic."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
from numpy.typing import NDArray
from scipy.stats import beta, binom

from tests.guarantees.limits import MOST_VIOLATIONS, REPEATS
from training.certification.tails import (
    binomial_p_value,
    clopper_pearson_lower,
    clopper_pearson_upper,
    mean_p_value,
    mean_upper,
)

pytestmark = pytest.mark.guarantee

LEVEL = 0.95


def _exact_tail(errors: int, answered: int, risk: Fraction) -> float:
    """P(Bin(answered, risk) <= errors), summed in integers."""
    a, b = risk.numerator, risk.denominator
    terms = (comb(answered, i) * a**i * (b - a) ** (answered - i) for i in range(errors + 1))
    return float(Fraction(sum(terms), b**answered))


def _cases() -> list[tuple[int, int]]:
    """Pairs of errors and answers: all pairs of small numbers, and some of large ones."""
    small = [(errors, answered) for answered in (1, 2, 7, 20) for errors in range(answered + 1)]
    return [*small, (0, 59), (1, 93), (15, 22), (1, 49), (20, 800), (83, 2_000), (120, 5_000)]


@pytest.mark.parametrize("risk", [Fraction(1, 100), Fraction(3, 100), Fraction(1, 2)], ids=str)
def test_p_value_is_the_exact_binomial_tail(risk: Fraction) -> None:
    for errors, answered in _cases():
        exact = _exact_tail(errors, answered, risk)
        assert float(binomial_p_value(errors, answered, float(risk))) == pytest.approx(exact, rel=1e-9, abs=1e-300)


def test_p_value_is_scipys_tail_and_1_without_answers() -> None:
    answered = np.arange(1, 5_001, 7)
    errors = (answered * 0.04).astype(np.int64)
    p_values = binomial_p_value(errors, answered, 0.05)
    np.testing.assert_allclose(p_values, binom.cdf(errors, answered, 0.05), rtol=0, atol=1e-12)
    assert float(binomial_p_value(0, 0, 0.05)) == 1


def test_bounds_are_beta_quantiles_and_invert_the_tails() -> None:
    for errors, answered in _cases():
        upper, lower = clopper_pearson_upper(errors, answered, LEVEL), clopper_pearson_lower(errors, answered, LEVEL)
        if errors < answered:
            assert upper == pytest.approx(beta.ppf(LEVEL, errors + 1, answered - errors), abs=1e-12)
            assert _exact_tail(errors, answered, Fraction(upper)) == pytest.approx(1 - LEVEL, rel=1e-7)
        if errors > 0:
            assert lower == pytest.approx(beta.ppf(1 - LEVEL, errors, answered - errors + 1), abs=1e-12)
            assert _exact_tail(errors - 1, answered, Fraction(lower)) == pytest.approx(LEVEL, rel=1e-7)
    assert clopper_pearson_upper(7, 7, LEVEL) == 1
    assert clopper_pearson_lower(0, 7, LEVEL) == 0


@pytest.mark.parametrize("answered", [30, 300, 3_000])
def test_bound_is_below_the_truth_with_at_most_the_promised_probability(answered: int) -> None:
    """Exactly: over every possible number of errors, weighted by its probability."""
    counts = np.arange(answered + 1)
    bounds = np.array([clopper_pearson_upper(errors, answered, LEVEL) for errors in counts.tolist()])
    for truth in np.linspace(0.005, 0.5, 37):
        assert binom.pmf(counts, answered, truth)[bounds < truth].sum() <= 1 - LEVEL + 1e-9


# Costs of answers by a cost matrix, scaled to [0, 1]: mostly 0, sometimes 0.2, rarely 1.
COSTS = np.array([0.0, 0.2, 1.0])
RARELY_ALL, MOSTLY_A_FIFTH = np.array([0.90, 0.06, 0.04]), np.array([0.873, 0.1264, 0.0006])


@pytest.mark.parametrize("shares", [RARELY_ALL, MOSTLY_A_FIFTH], ids=["rarely all", "mostly a fifth"])
@pytest.mark.parametrize("size", [200, 500])
def test_bound_of_a_mean_cost_is_under_the_truth_once_in_twenty_at_most(size: int, shares: NDArray[np.float64]) -> None:
    truth = float(COSTS @ shares)
    draws = [np.random.default_rng([7, repeat]).choice(COSTS, size, p=shares) for repeat in range(REPEATS)]
    # The bound is above the truth if the p-value of the truth exceeds the error level, so no search is needed.
    under = sum(mean_p_value(losses, truth, binary=False) <= 1 - LEVEL for losses in draws)
    assert under <= MOST_VIOLATIONS
    assert sum(losses.mean() < truth for losses in draws) > 400  # the mean itself, without a margin, often is below it


def test_bound_by_betting_has_about_half_the_slack_of_hoeffding_and_bentkus() -> None:
    """Where costs vary less than errors would: 500 answers, mostly right, a true mean cost of 0.0259."""
    truth = float(COSTS @ MOSTLY_A_FIFTH)
    betting, others = [], []
    for repeat in range(40):
        losses = np.random.default_rng([7, repeat]).choice(COSTS, 500, p=MOSTLY_A_FIFTH)
        betting.append(mean_upper(losses, LEVEL, binary=False))
        levels = np.linspace(0.02, 0.12, 401)
        p_values = compute_hoeffding_bentkus_p_value(losses.mean(keepdims=True), 500, levels)[0]
        others.append(levels[np.argmax(p_values <= 1 - LEVEL)])
    assert np.mean(betting) - truth < (np.mean(others) - truth) * 0.6


def test_p_value_and_bound_of_a_mean_cost_agree() -> None:
    for size in (20, 200, 2_000):
        for repeat in range(20):
            losses = np.random.default_rng([8, repeat]).choice(COSTS, size, p=RARELY_ALL)
            bound = mean_upper(losses, LEVEL, binary=False)
            assert mean_p_value(losses, min(1.0, bound + 1e-6), binary=False) <= 1 - LEVEL
            assert mean_p_value(losses, bound - 1e-6, binary=False) > 1 - LEVEL


@pytest.mark.parametrize(("risk", "documented"), [(0.01, 8_640), (0.03, 2_840), (0.05, 1_660)])
def test_documented_number_of_answers_certifies_nine_times_out_of_ten(risk: float, documented: int) -> None:
    """With a true risk of 0.7 r, the power stays at least 0.9 from this number on."""
    answered = np.arange(100, 12_000)
    most = binom.ppf(1 - LEVEL, answered, risk)  # errors at which the tail first reaches 5 %
    most -= binom.cdf(most, answered, risk) > 1 - LEVEL  # the last number that passes the test
    power = binom.cdf(most, answered, 0.7 * risk)
    assert answered[np.flatnonzero(power < 0.9)[-1]] + 1 == pytest.approx(documented, abs=5)
