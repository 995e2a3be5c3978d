"""What a number of calibration examples can certify, and how many a target needs."""

import math
from collections.abc import Mapping, Sequence

from service.manifest import SplitName
from training.abstention.selective_risk import least_examples


def shortages(sizes: Mapping[SplitName, int], risks: Sequence[float], confidence_level: float) -> list[str]:
    """One line for each target risk that the calibration split is too small for, however good the model."""
    calibration = sizes.get("calibration")
    if calibration is None:
        return []
    return [
        f"selective_risk {risk:g} cannot be certified: the calibration split has {calibration:,} examples, and "
        f"{least:,} answered without an error are the fewest that do; that takes about "
        f"{labelled_examples(least, sizes):,} labelled examples at these shares"
        for risk in risks
        if (least := least_examples(risk, confidence_level)) > calibration
    ]


def prospects(sizes: Mapping[SplitName, int], risks: Sequence[float], confidence_level: float) -> list[str]:
    """One line for each target risk: what it takes, or what is lacking."""
    lines = []
    for risk in risks:
        lacking = shortages(sizes, [risk], confidence_level)
        least, calibration = least_examples(risk, confidence_level), sizes["calibration"]
        possible = f"selective_risk {risk:g} can be, from {least:,} of {calibration:,} answered without an error"
        lines += lacking or [possible]
    return lines


def labelled_examples(calibration: int, sizes: Mapping[SplitName, int]) -> int:
    """How many examples in all give a calibration split of that many, at the shares that there are now.

    >>> labelled_examples(299, {"train": 50, "tune": 10, "calibration": 25, "report": 15})
    1196
    """
    return math.ceil(calibration * sum(sizes.values()) / sizes["calibration"])
