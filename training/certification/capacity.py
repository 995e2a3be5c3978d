"""What the calibration split can certify by its size, and how many examples a target needs."""

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
    """The size of each split, and the number of independent examples that the calibration split is worth."""

    sizes: Mapping[SplitName, int]
    independent: int  # calibration examples, as a test counts them; 0 without a calibration split
    largest_group: int | None = None  # rows of the largest group of train; None if rows are independent

    @classmethod
    def of_rows(cls, sizes: Mapping[SplitName, int]) -> "Capacity":
        """The capacity of splits of independent rows."""
        return cls(sizes, sizes.get("calibration", 0))

    @classmethod
    def of_parts(cls, parts: Mapping[SplitName, Labelled]) -> "Capacity":
        """The capacity of splits whose rows may come in groups."""
        counts = {name: len(part) for name, part in parts.items()}
        groups, largest_group = parts["calibration"].groups, largest_group_size(parts["train"].groups)
        if groups is None:
            return cls.of_rows(counts)
        return cls(counts, independent_rows(groups, largest_group), largest_group)

    @property
    def calibration(self) -> int:
        """The number of rows of the calibration split."""
        return self.sizes["calibration"]

    def rows_for(self, independent: int) -> int:
        """The number of calibration rows that are worth so many independent ones."""
        return math.ceil(independent * self.calibration / self.independent) if self.independent else 0


def capacity(dataset: LabelledData, recipe: Recipe, seed: int) -> Capacity:
    """The capacity of the splits that `split` makes. Reads inputs only if rows come in groups.

    Raises DataError as `split` does.
    """
    if isinstance(dataset, Pool) and dataset.split_rule.groups is not None:
        return Capacity.of_parts(dataset.parts(seed))
    return Capacity.of_rows(sizes(dataset, recipe, seed))


def shortages(available: Capacity, risks: Sequence[float], confidence_level: float) -> list[str]:
    """One line for each target risk that the calibration split is too small for, even with a perfect model."""
    if "calibration" not in available.sizes:
        return []
    return [
        f"selective_risk {risk:g} cannot be certified: the calibration split {_worth(available)}, and it takes at "
        f"least {least:,} that are answered without an error{_total_needed(least, available)}"
        for risk in risks
        if (least := least_examples(risk, confidence_level)) > available.independent
    ]


def prospects(available: Capacity, risks: Sequence[float], confidence_level: float) -> list[str]:
    """One line for each target risk: what it takes, or what is missing. For groups also what they count as."""
    lines = [] if available.largest_group is None else [f"the calibration split {_worth(available)}"]
    for risk in risks:
        least = least_examples(risk, confidence_level)
        possible = (
            f"selective_risk {risk:g} can be certified: it takes at least {least:,} of {available.independent:,} that "
            "are answered without an error"
        )
        lines += shortages(available, [risk], confidence_level) or [possible]
    return lines


def labelled_examples(calibration: int, sizes: Mapping[SplitName, int]) -> int:
    """The total number of examples for a calibration split of that size, at the present shares.

    >>> labelled_examples(299, {"train": 50, "tune": 10, "calibration": 25, "report": 15})
    1196
    """
    return math.ceil(calibration * sum(sizes.values()) / sizes["calibration"])


def _worth(available: Capacity) -> str:
    if available.largest_group is None:
        return f"has {available.calibration:,} examples"
    return (
        f"counts as {available.independent:,} independent examples ({available.calibration:,} divided by "
        f"{available.largest_group:,}, the size of the largest group in train)"
    )


def _total_needed(least: int, available: Capacity) -> str:
    if not available.independent:
        return ""
    total = labelled_examples(available.rows_for(least), available.sizes)
    return f"; with these split shares that is about {total:,} labelled examples in all"
