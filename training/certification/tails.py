"""p-values and confidence bounds that are valid for every sample size: no normal approximation.

Each p-value is of the null hypothesis that a mean exceeds some level; a small one is evidence that the promise holds.
Each bound inverts such a test: it is the lowest level whose hypothesis is rejected, so a bound and a p-value never
contradict each other. All assume independent observations.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincc, betaincinv, logsumexp

_Integers = NDArray[np.int64]
# Fractions of the wealth to stake. For an error rate, the fraction f is the best if the true rate is 1 - f times the
# level. They are even steps of its square root, denser at low rates, as under Jeffreys' prior.
_FRACTIONS = 1 - ((np.arange(16) + 0.5) / 16) ** 2
_BLOCK = 256  # gains before the first check whether the p-value is low enough
_TOLERANCE = 1e-9  # of a bound


def binomial_p_value(errors: int | _Integers, answered: int | _Integers, risk: float) -> NDArray[np.float64]:
    """P(Bin(answered, risk) <= errors), elementwise: the exact p-value of "the error rate exceeds `risk`".

    It is 1 if nothing was answered: there is no evidence. (As in Angelopoulos et al. 2021, arXiv 2110.01052, with the
    exact tail in place of a bound.)

    >>> float(binomial_p_value(0, 59, 0.05))  # 0.95^59: 59 right answers are the fewest that certify 5 %
    0.04849...
    """
    right = np.asarray(answered) - np.asarray(errors)
    # The binomial tail as an incomplete beta function, 1 - I_risk(errors + 1, right), undefined at right = 0.
    tail = betaincc(np.asarray(errors) + 1, np.maximum(right, 1), risk)
    return np.asarray(np.where(right == 0, 1.0, tail), dtype=np.float64)


def clopper_pearson_upper(errors: int, answered: int, confidence_level: float) -> float:
    """One-sided upper confidence bound of an error rate (Clopper and Pearson 1934).

    >>> round(clopper_pearson_upper(0, 59, 0.95), 4)
    0.0495
    """
    return 1.0 if errors == answered else float(betaincinv(errors + 1, answered - errors, confidence_level))


def clopper_pearson_lower(errors: int, answered: int, confidence_level: float) -> float:
    """One-sided lower confidence bound of an error rate (Clopper and Pearson 1934).

    >>> clopper_pearson_lower(0, 59, 0.95)
    0.0
    """
    return 0.0 if errors == 0 else float(betaincinv(errors, answered - errors + 1, 1 - confidence_level))


def mean_p_value(losses: NDArray[np.float64], level: float, *, binary: bool) -> float:
    """p-value of "the mean exceeds `level`", for independent losses in [0, 1].

    `binary` states that a loss can only be 0 or 1, which must be known beforehand, not read off the losses; the p-value
    is then the exact binomial tail. Otherwise it is `betting_p_value`.

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
    """Upper confidence bound of the mean of losses in [0, 1]: the level at which `mean_p_value` is 1 - confidence."""
    if len(losses) == 0 or losses.min() == 1:
        return 1.0
    if binary:
        return clopper_pearson_upper(int(losses.sum()), len(losses), confidence_level)
    return crossing(lambda level: mean_p_value(losses, level, binary=False), 1 - confidence_level)


def betting_p_value(gains: NDArray[np.float64], enough: float = 0.0) -> float:
    """p-value of "the mean gain is at most 0", for independent gains of at least -1, `[N]`.

    Testing by betting (Waudby-Smith and Ramdas 2024, arXiv 2010.09686). A wealth of 1 is staked on the gains in turn,
    a fixed fraction each time. Under the hypothesis the wealth is a nonnegative supermartingale for every fraction, and
    so is its mean over several fractions. By Ville's inequality (1939) that mean ever reaches 1 / p with probability at
    most p, so the inverse of its maximum is a p-value. The gains are taken in a random order that is fixed beforehand.

    The computation may stop early at a p-value of `enough` or less.

    >>> betting_p_value(np.zeros(5)), betting_p_value(np.full(5, -1.0))
    (1.0, 1.0)
    >>> round(betting_p_value(np.array([1.0])), 2)  # the wealth is 1 + f, and the fractions are 2/3 on average
    0.6
    """
    shuffled = gains[np.random.default_rng(0).permutation(len(gains))]
    log_wealth, highest, start, block = np.zeros((len(_FRACTIONS), 1)), 0.0, 0, _BLOCK
    while start < len(gains) and not 0 < math.exp(-highest) <= enough:
        steps = np.log1p(np.outer(_FRACTIONS, shuffled[start : start + block]))
        path = log_wealth + steps.cumsum(axis=1)
        log_wealth, highest = path[:, -1:], max(highest, float(_log_mean(path).max()))
        start, block = start + block, 2 * block
    return math.exp(-highest)


def expected_betting_p_value(gains: NDArray[np.float64], share: float) -> float:
    """The `betting_p_value` to expect for `share` times as many gains like these: from the wealth at their end.

    >>> round(expected_betting_p_value(np.array([1.0]), 2), 4)  # 1 over the mean of (1 + f)^2
    0.3488
    """
    log_wealth = np.log1p(np.outer(_FRACTIONS, gains)).sum(axis=1, keepdims=True) * share
    return math.exp(-max(0.0, float(_log_mean(log_wealth)[0])))


def _log_mean(log_wealth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the mean wealth over the fractions, `[F, T]` -> `[T]`."""
    mean: NDArray[np.float64] = logsumexp(log_wealth, axis=0) - math.log(len(_FRACTIONS))
    return mean


def crossing(p_value: Callable[[float], float], error: float) -> float:
    """The level in [0, 1] at which a p-value that falls with the level reaches `error`, rounded up."""
    low, high = 0.0, 1.0
    while high - low > _TOLERANCE:
        middle = (low + high) / 2
        low, high = (low, middle) if p_value(middle) <= error else (middle, high)
    return high
