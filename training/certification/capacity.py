"""What a number of calibration examples can certify, and how many a target needs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.contract.manifest import SplitName
from training.certification.fixed_sequence import least_examples
from training.certification.samples import independent_rows, largest_group_size
from training.data.dataset import Labelled, LabelledData
from training.data.options import Recipe
from training.data.pool import Pool
from training.data.splits import sizes


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many examples each split has, and what those of the calibration split are worth to a test."""

    sizes: Mapping[SplitName, int]
    independent: int  # calibration examples, as many as a test counts; 0 without a calibration split
    largest: int | None = None  # rows of the largest group of train; None where rows are independent

    @classmethod
    def of_rows(cls, sizes: Mapping[SplitName, int]) -> "Capacity":
        """The capacity of splits whose rows are independent."""
        return cls(sizes, sizes.get("calibration", 0))

    @classmethod
    def of_parts(cls, parts: Mapping[SplitName, Labelled]) -> "Capacity":
        """The capacity of splits whose rows may come in groups."""
        counts = {name: len(part) for name, part in parts.items()}
        groups, largest = parts["calibration"].groups, largest_group_size(parts["train"].groups)
        if groups is None:
            return cls.of_rows(counts)
        return cls(counts, independent_rows(groups, largest), largest)

    @property
    def calibration(self) -> int:
        """How many rows the calibration split has."""
        return self.sizes["calibration"]

    def rows_for(self, independent: int) -> int:
        """How many calibration rows are worth so many independent ones."""
        return math.ceil(independent * self.calibration / self.independent) if self.independent else 0


def capacity(dataset: LabelledData, recipe: Recipe, seed: int) -> Capacity:
    """The capacity of the splits that `split` makes. Reads inputs only where rows come in groups.

    Raises DataError where `split` does.
    """
    if isinstance(dataset, Pool) and dataset.drawing.groups is not None:
        return Capacity.of_parts(dataset.parts(seed))
    return Capacity.of_rows(sizes(dataset, recipe, seed))


def shortages(have: Capacity, risks: Sequence[float], confidence_level: float) -> list[str]:
    """One line for each target risk that the calibration split is too small for, however good the model."""
    if "calibration" not in have.sizes:
        return []
    return [
        f"selective_risk {risk:g} cannot be certified: the calibration split {_worth(have)}, and "
        f"{least:,} answered without an error are the fewest that do{_takes(least, have)}"
        for risk in risks
        if (least := least_examples(risk, confidence_level)) > have.independent
    ]


def prospects(have: Capacity, risks: Sequence[float], confidence_level: float) -> list[str]:
    """One line for each target risk: what it takes, or what is lacking; for groups also what they count as."""
    lines = [] if have.largest is None else [f"the calibration split {_worth(have)}"]
    for risk in risks:
        lacking = shortages(have, [risk], confidence_level)
        least = least_examples(risk, confidence_level)
        possible = f"selective_risk {risk:g} can be, from {least:,} of {have.independent:,} answered without an error"
        lines += lacking or [possible]
    return lines


def labelled_examples(calibration: int, sizes: Mapping[SplitName, int]) -> int:
    """How many examples in all give a calibration split of that many, at the shares that there are now.

    >>> labelled_examples(299, {"train": 50, "tune": 10, "calibration": 25, "report": 15})
    1196
    """
    return math.ceil(calibration * sum(sizes.values()) / sizes["calibration"])


def _worth(have: Capacity) -> str:
    if have.largest is None:
        return f"has {have.calibration:,} examples"
    return (
        f"counts as {have.independent:,} independent examples ({have.calibration:,} divided by {have.largest:,}, the "
        "size of the largest group in train)"
    )


def _takes(least: int, have: Capacity) -> str:
    if not have.independent:
        return ""
    return (
        f"; that takes about {labelled_examples(have.rows_for(least), have.sizes):,} labelled examples at these shares"
    )
