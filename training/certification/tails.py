"""p-values and bounds that hold for every sample size: no normal approximation, no "n large enough".

A p-value here is of the hypothesis that a mean is over some level, so a small one speaks for the promise. A bound is
the lowest level whose hypothesis is rejected: bound and p-value never contradict one another.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincc, betaincinv, logsumexp

_Integers = NDArray[np.int64]
# Of the wealth that is staked. Of an error rate, f is the best one where the true rate is 1 - f times the level, and
# these stand closer together for low rates: they are even steps of its square root, as Jeffreys' prior weighs it.
_FRACTIONS = 1 - ((np.arange(16) + 0.5) / 16) ** 2
_BLOCK = 256  # gains looked at before the first question whether they are enough
_TOLERANCE = 1e-9  # of a bound


def binomial_p_value(errors: int | _Integers, answered: int | _Integers, risk: float) -> NDArray[np.float64]:
    """P(Bin(answered, risk) <= errors), elementwise: the exact p-value of "the error rate is over `risk`".

    1 where nothing was answered: no evidence. (Angelopoulos et al. 2021, arXiv 2110.01052, with the exact tail.)

    >>> float(binomial_p_value(0, 59, 0.05))  # 0.95^59: the least number of answers, all right, that certify 5 %
    0.04849...
    """
    right = np.asarray(answered) - np.asarray(errors)
    # The binomial tail as an incomplete beta function, 1 - I_risk(errors + 1, right), which has no value at right = 0.
    tail = betaincc(np.asarray(errors) + 1, np.maximum(right, 1), risk)
    return np.asarray(np.where(right == 0, 1.0, tail), dtype=np.float64)


def clopper_pearson_upper(errors: int, answered: int, confidence_level: float) -> float:
    """One-sided upper bound of an error rate (Clopper and Pearson 1934).

    >>> round(clopper_pearson_upper(0, 59, 0.95), 4)
    0.0495
    """
    return 1.0 if errors == answered else float(betaincinv(errors + 1, answered - errors, confidence_level))


def clopper_pearson_lower(errors: int, answered: int, confidence_level: float) -> float:
    """One-sided lower bound of an error rate (Clopper and Pearson 1934).

    >>> clopper_pearson_lower(0, 59, 0.95)
    0.0
    """
    return 0.0 if errors == 0 else float(betaincinv(errors, answered - errors + 1, 1 - confidence_level))


def mean_p_value(losses: NDArray[np.float64], level: float, *, binary: bool) -> float:
    """p-value of "the mean is over `level`", for independent losses in [0, 1].

    Where losses can only be 0 or 1, `binary`, it is the exact binomial tail; that must be known beforehand, and not be
    read off the losses that happened to come. Otherwise it is a bet against the hypothesis, as in `betting_p_value`.

    >>> mean_p_value(np.zeros(59), 0.05, binary=True) == float(binomial_p_value(0, 59, 0.05))
    True
    """
    if len(losses) == 0 or level <= 0:
        return 1.0
    if level >= 1:
        return 0.0
    if binary:
        return float(binomial_p_value(int(losses.sum()), len(losses), level))
    return betting_p_value((level - losses) / (1 - level))


def mean_upper(losses: NDArray[np.float64], confidence_level: float, *, binary: bool) -> float:
    """Upper bound of the mean of losses in [0, 1]: the level at which `mean_p_value` falls to 1 - confidence."""
    if len(losses) == 0 or losses.min() == 1:
        return 1.0
    if binary:
        return clopper_pearson_upper(int(losses.sum()), len(losses), confidence_level)
    return crossing(lambda level: mean_p_value(losses, level, binary=False), 1 - confidence_level)


def betting_p_value(gains: NDArray[np.float64], enough: float = 0.0) -> float:
    """p-value of "the mean gain is at most 0", for independent gains of at least -1, `[N]`.

    A gambler with a wealth of 1 stakes a fixed fraction of it on each gain. Under the hypothesis no such game is
    expected to pay, so the wealth averaged over several fractions reaches 1 / p at any time with a probability of at
    most p (Ville 1939; Waudby-Smith and Ramdas 2024, arXiv 2010.09686). The gains are taken in a random order that is
    fixed beforehand.

    A p-value of `enough` or less may be given as soon as it is reached, before all gains are looked at.

    >>> betting_p_value(np.zeros(5)), betting_p_value(np.full(5, -1.0))
    (1.0, 1.0)
    >>> round(betting_p_value(np.array([1.0])), 2)  # the wealth is 1 + f, and the fractions are 2/3 on average
    0.6
    """
    shuffled = gains[np.random.default_rng(0).permutation(len(gains))]
    growth, most, start, block = np.zeros((len(_FRACTIONS), 1)), 0.0, 0, _BLOCK
    while start < len(gains) and not 0 < math.exp(-most) <= enough:
        steps = np.log1p(np.outer(_FRACTIONS, shuffled[start : start + block]))
        path = growth + steps.cumsum(axis=1)
        growth, most = path[:, -1:], max(most, float(_mixed(path).max()))
        start, block = start + block, 2 * block
    return math.exp(-most)


def expected_betting_p_value(gains: NDArray[np.float64], share: float) -> float:
    """What `betting_p_value` may come to for `share` times as many gains like these: the wealth at their end.

    >>> round(expected_betting_p_value(np.array([1.0]), 2), 4)  # 1 over the mean of (1 + f)^2
    0.3488
    """
    growth = np.log1p(np.outer(_FRACTIONS, gains)).sum(axis=1, keepdims=True) * share
    return math.exp(-max(0.0, float(_mixed(growth)[0])))


def _mixed(log_wealth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the mean wealth over the fractions, `[F, T]` -> `[T]`."""
    mixed: NDArray[np.float64] = logsumexp(log_wealth, axis=0) - math.log(len(_FRACTIONS))
    return mixed


def crossing(p_value: Callable[[float], float], error: float) -> float:
    """The level in [0, 1] at which a p-value that falls with the level reaches `error`: an upper bound."""
    low, high = 0.0, 1.0
    while high - low > _TOLERANCE:
        middle = (low + high) / 2
        low, high = (low, middle) if p_value(middle) <= error else (middle, high)
    return high
