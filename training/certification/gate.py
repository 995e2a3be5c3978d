"""The threshold of the gate: the lowest that is certified to keep the false alarm rate within its target."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from service.contract.certificates import OutOfDistributionGate
from training.certification.principal_components import METHOD, PrincipalComponents
from training.certification.samples import Sample, samples
from training.certification.scored import Scored

_DIGITS = 3  # of a rate above its target


class GateThreshold(NamedTuple):
    """The largest out-of-distribution score that passes the gate, and its certified rate."""

    threshold: float
    rank: int  # from below, among the rows that count
    rows: int  # that count
    rate: float  # upper bound of the false alarm rate


def certify_gate(
    tune: Scored, components: PrincipalComponents, false_alarm_rate: float, level: float, largest_group: int
) -> OutOfDistributionGate:
    """The gate as the manifest states it; arguments as for `gate_threshold`."""
    gate = gate_threshold(tune, false_alarm_rate, level, largest_group)
    return OutOfDistributionGate(
        threshold=gate.threshold,
        false_alarm_rate=gate.rate,
        asked_false_alarm_rate=false_alarm_rate,
        confidence_level=level,
        components=components.axes.shape[1],
        explained_variance=components.explained_variance,
        order_statistic=gate.rank,
        size=gate.rows,
        method=METHOD,
        population=tune.population,
        tune_fingerprint=tune.fingerprint,
    )


def gate_threshold(tune: Scored, false_alarm_rate: float, level: float, largest_group: int = 1) -> GateThreshold:
    """Set the threshold on `tune`; `largest_group` as in `samples`.

    It is the lowest score of `tune` at which a test at the confidence level accepts that at most `false_alarm_rate` of
    the population scores higher. The share above a threshold falls as the threshold rises, so searching for the lowest
    needs no correction for multiple tests (Bates et al. 2021, arXiv 2101.02703). If not even the largest score passes,
    it becomes the threshold, and its rate is the lowest that it can promise.
    """
    sample = samples(tune.groups, len(tune), largest_group)[0]
    scores = tune.scores.ood_score[sample.rows].astype(np.float64)
    answered = np.ones(len(scores), dtype=bool)
    falling = np.sort(scores)[::-1]

    def passes(index: int) -> bool:
        above = (scores > falling[index]).astype(np.float64)
        return sample.p_value(above, answered, false_alarm_rate) <= 1 - level

    last = _last(passes, len(falling))
    if last is not None:
        return GateThreshold(float(falling[last]), len(falling) - last, len(falling), false_alarm_rate)
    lowest = least_false_alarm_rate(sample, level)
    return GateThreshold(float(falling[0]), len(falling), len(falling), max(lowest, false_alarm_rate))


def _last(passes: Callable[[int], bool], count: int) -> int | None:
    """The last of 0, 1, ... `count` - 1 that passes, if none passes after one that fails; None if 0 fails."""
    low, high = -1, count  # low passes, high fails
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low if low >= 0 else None


def _rounded_up(rate: float) -> float:
    """Round up to three digits, and to less than 1.

    >>> _rounded_up(0.05118), _rounded_up(1.0)
    (0.0512, 0.999)
    """
    scale = 10.0 ** (_DIGITS - 1 - math.floor(math.log10(rate)))
    return min(0.999, math.ceil(rate * scale) / scale)


def least_false_alarm_rate(tune: Sample, level: float) -> float:
    """The lowest rate that a gate set on these tune rows can promise: the upper bound if no row is above it.

    For n independent rows it is 1 - (1 - level)^(1 / n).

    >>> [least_false_alarm_rate(samples(None, size, 1)[0], 0.95) for size in (299, 298, 57)]
    [0.00997, 0.0101, 0.0512]
    """
    return _rounded_up(tune.upper(np.zeros(len(tune)), np.ones(len(tune), dtype=bool), level))
