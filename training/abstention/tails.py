"""p-values and bounds that hold for every sample size: no normal approximation, no "n large enough".

A p-value here is of the hypothesis that a mean is over some level, so a small one speaks for the promise. A bound is
the lowest level whose hypothesis is rejected: bound and p-value never contradict one another.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betaincc, betaincinv, rel_entr

_Integers = NDArray[np.int64]


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
    """p-value of "the mean is over `level`", for losses in [0, 1]: Hoeffding's and Bentkus's, the lesser.

    (Bates et al. 2021, arXiv 2101.02703, section 3.1.) Where losses can only be 0 or 1, `binary`, it is the exact
    binomial tail; that must be known beforehand, and not be read off the losses that happened to come.

    >>> mean_p_value(np.zeros(59), 0.05, binary=True) == float(binomial_p_value(0, 59, 0.05))
    True
    """
    n = len(losses)
    if n == 0 or level <= 0:
        return 1.0
    if level >= 1:
        return 0.0
    if binary:
        return float(binomial_p_value(int(losses.sum()), n, level))
    mean = float(losses.mean())
    below = min(mean, level)
    hoeffding = math.exp(-n * float(rel_entr(below, level) + rel_entr(1 - below, 1 - level)))
    bentkus = math.e * float(binomial_p_value(min(math.ceil(n * mean), n), n, level))
    return min(1.0, hoeffding, bentkus)


def mean_upper(losses: NDArray[np.float64], confidence_level: float, *, binary: bool) -> float:
    """Upper bound of the mean of losses in [0, 1]: the level at which `mean_p_value` falls to 1 - confidence."""
    if len(losses) == 0 or losses.min() == 1:
        return 1.0
    if binary:
        return clopper_pearson_upper(int(losses.sum()), len(losses), confidence_level)
    mean, error = float(losses.mean()), 1 - confidence_level
    return float(brentq(lambda level: mean_p_value(losses, level, binary=False) - error, mean, 1.0, xtol=1e-12))
