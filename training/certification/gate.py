"""The gate's threshold: the lowest that is sure to turn away no more of the model's own kind than was asked for."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import OutOfDistributionGate
from training.certification.principal_components import METHOD, PrincipalComponents
from training.certification.samples import Sample, samples
from training.certification.scored import Scored

_DIGITS = 3  # of a rate that was not asked for


class Limit(NamedTuple):
    """The largest score that is let in, and what that promises."""

    threshold: float
    rank: int  # from below, among the rows that count
    rows: int  # that count
    rate: float  # of false alarms, at most


def gate(
    tune: Scored, components: PrincipalComponents, false_alarm_rate: float, level: float, largest: int
) -> OutOfDistributionGate:
    """The gate as a manifest states it; arguments as for `limit`."""
    found = limit(tune, false_alarm_rate, level, largest)
    return OutOfDistributionGate(
        threshold=found.threshold,
        false_alarm_rate=found.rate,
        asked_false_alarm_rate=false_alarm_rate,
        confidence_level=level,
        components=components.axes.shape[1],
        explained_variance=components.explained_variance,
        order_statistic=found.rank,
        size=found.rows,
        method=METHOD,
        population=tune.population,
        tune_fingerprint=tune.fingerprint,
    )


def limit(tune: Scored, false_alarm_rate: float, level: float, largest: int = 1) -> Limit:
    """Set the threshold on `tune`; `largest` as in `samples`.

    It is the lowest score of `tune` for which a test at the confidence level says that at most `false_alarm_rate` of
    the population lie over it. Since that share falls as the threshold rises, testing at many of them costs nothing
    (Bates et al. 2021, arXiv 2101.02703). Where not even the largest score passes, that is the threshold, and the
    lowest rate that it can promise is stated.
    """
    sample = samples(tune.groups, len(tune), largest)[0]
    scores = tune.scores.ood_score[sample.rows].astype(np.float64)
    everything = np.ones(len(scores), dtype=bool)
    falling = np.sort(scores)[::-1]

    def passes(over: int) -> bool:
        return sample.p_value(_over(scores, falling[over]), everything, false_alarm_rate) <= 1 - level

    over = _last(passes, len(falling))
    if over is not None:
        return Limit(float(falling[over]), len(falling) - over, len(falling), false_alarm_rate)
    lowest = least_false_alarm_rate(sample, level)
    return Limit(float(falling[0]), len(falling), len(falling), max(lowest, false_alarm_rate))


def _over(scores: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    return (scores > threshold).astype(np.float64)


def _last(passes: Callable[[int], bool], count: int) -> int | None:
    """The last of 0, 1, ... `count` - 1 that passes, where none does after one that fails; None where 0 fails."""
    low, high = -1, count  # low passes, high fails
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low if low >= 0 else None


def _rounded_up(rate: float) -> float:
    """To three digits, and under 1.

    >>> _rounded_up(0.05118), _rounded_up(1.0)
    (0.0512, 0.999)
    """
    scale = 10.0 ** (_DIGITS - 1 - math.floor(math.log10(rate)))
    return min(0.999, math.ceil(rate * scale) / scale)


def least_false_alarm_rate(tune: Sample, level: float) -> float:
    """The lowest rate that a gate on these tune rows can promise: the upper bound if none of them lies over it.

    For n independent rows that is 1 - (1 - level)^(1 / n).

    >>> [least_false_alarm_rate(samples(None, size, 1)[0], 0.95) for size in (299, 298, 57)]
    [0.00997, 0.0101, 0.0512]
    """
    return _rounded_up(tune.upper(np.zeros(len(tune)), np.ones(len(tune), dtype=bool), level))
