"""Confidence sequences: bounds of a mean that hold at all times at once, while values keep coming in.

The bounds of Clopper and Pearson hold for one look, at a sample size fixed beforehand. A check after each new value
that stops at the first alarm is certain to raise a false one in the end.
"""

import math
from collections.abc import Callable
from functools import lru_cache

_PRIOR = 0.5  # Beta(1/2, 1/2), Jeffreys': sharp for the small rates that are promised


@lru_cache(4096)  # between two looks at all policies most of them have not changed
def confidence_sequence(total: float, count: int, confidence_level: float) -> tuple[float, float]:
    """Lower and upper bound of the mean of values in [0, 1], from the sum of the first `count` of them.

    With probability `confidence_level` the true mean lies between them at *all* counts at once. They bound the levels
    m at which the mixture likelihood ratio B(s + 1/2, n - s + 1/2) / B(1/2, 1/2) / (m^s (1 - m)^(n - s)), for sum s of
    n values, is under 1 / (1 - confidence): it is a test martingale of "the mean is m" (Ville 1939; Robbins 1970, Ann.
    Math. Stat. 41(5)) for values 0 and 1, and no greater than one for values between.

    >>> confidence_sequence(0, 0, 0.95)
    (0.0, 1.0)
    >>> [round(bound, 4) for bound in confidence_sequence(5, 100, 0.95)]  # Clopper-Pearson, one look: 0.0164, 0.1128
    [0.0071, 0.1558]
    """
    if count == 0:
        return 0.0, 1.0
    limit = -math.log(1 - confidence_level)
    mixture = _log_beta(total + _PRIOR, count - total + _PRIOR) - _log_beta(_PRIOR, _PRIOR)

    def inside(level: float) -> bool:
        return mixture - _times_log(total, level) - _times_log(count - total, 1 - level) < limit

    mean = total / count
    return _edge(inside, 0.0, mean), _edge(inside, 1.0, mean)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _times_log(factor: float, value: float) -> float:
    """Factor * log(value), with 0 log 0 = 0."""
    if factor == 0:
        return 0.0
    return factor * math.log(value) if value > 0 else -math.inf


def _edge(inside: Callable[[float], bool], outer: float, inner: float) -> float:
    """The level between `outer` and `inner` where the inside begins. By bisection: the ratio has one minimum."""
    if inside(outer):
        return outer
    for _ in range(60):
        middle = (outer + inner) / 2
        if inside(middle):
            inner = middle
        else:
            outer = middle
    return outer
