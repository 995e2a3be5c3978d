"""The rule that divides the examples of a pool among the splits, for a seed.

A group, be it the rows of one patient or copies of one row, is never divided.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.manifest import SplitName
from training.data.options import Shares
from training.data.raw import ALL_SPLITS
from training.errors import DataError

MAX_SPLIT_SIZE = 50_000  # of each split but train; more would hardly change a bound
_SHUFFLED = 50_000  # examples at the start of a split, in random order

Assignment = NDArray[np.int8]  # [N], the split of each example as an index into ALL_SPLITS, or _LEFT_OUT
_LEFT_OUT = len(ALL_SPLITS)


@dataclass(frozen=True, slots=True)
class SplitRule:
    """The rule for N examples. The same rule and seed give the same splits."""

    shares: Shares
    strata: NDArray[np.int8]  # [N], the stratum of each example: an index into `allowed`
    allowed: tuple[tuple[SplitName, ...], ...]  # for each stratum, the splits that its examples are divided among
    groups: NDArray[np.int64] | None = None  # [N], the group of each example; None: all are independent
    times: NDArray[np.int64] | None = None  # [N], ranks: the splits are in order of time, not drawn
    kept: NDArray[np.bool_] | None = None  # [N], False if an example is in no split; None: all are kept

    def assign(self, seed: int) -> Assignment:
        """The split of each example, `len(ALL_SPLITS)` if it is left out.

        Raises DataError if a split would be empty.
        """
        assignment = np.full(len(self.strata), _LEFT_OUT, dtype=np.int8)
        for number, names in enumerate(self.allowed):
            rows = self._rows_of(number)
            splits = np.array([ALL_SPLITS.index(name) for name in names], dtype=np.int8)
            assignment[rows] = splits[self._divide(rows, [self.shares[s] for s in splits], seed, number)]
        if self.groups is not None:
            assignment = _undivided(assignment, self.groups)
            if self.kept is not None:
                assignment[~self.kept] = _LEFT_OUT
        self._check_none_empty(assignment)
        return assignment

    def rows(self, seed: int) -> dict[SplitName, NDArray[np.int64]]:
        """The examples of each split.

        The first ones are a random sample of the split, so that they can stand for it; the rest are in the order of the
        file, so that a pass over the split reads the file from front to back.
        """
        assignment = self.assign(seed)
        return {
            name: _shuffled_first(assignment == i, np.random.default_rng([seed, 2, i]))
            for i, name in enumerate(ALL_SPLITS)
        }

    def sizes(self, seed: int) -> dict[SplitName, int]:
        """The number of examples of each split. Raises DataError if one would be empty."""
        counts = np.bincount(self.assign(seed), minlength=len(ALL_SPLITS))[: len(ALL_SPLITS)]
        return dict(zip(ALL_SPLITS, counts.tolist(), strict=True))

    def _check_none_empty(self, assignment: Assignment) -> None:
        empty = [name for i, name in enumerate(ALL_SPLITS) if not (assignment == i).any()]
        if not empty:
            return
        used = assignment != _LEFT_OUT
        left_out = len(assignment) - int(used.sum())
        together = ""
        if self.groups is not None:
            together = f" in {len(np.unique(self.groups[used]))} groups that stay together"
        elif self.times is not None:
            together = f" at {len(np.unique(self.times[used]))} different times, of which equal ones stay together"
        raise DataError(
            f"no example is left for {' and '.join(empty)}: there are {len(assignment) - left_out} examples{together}"
            + (f" ({left_out} left out)" if left_out else "")
            + "; four splits take at least four: give more of them, "
            + ("keep copies by --copies free, " if left_out else "")
            + "or name the split of each example by --split-column"
        )

    def distortions(self, sizes: Mapping[SplitName, int]) -> list[str]:
        """A line for each split that is under half its share because groups, or rows of one time, stay together."""
        if len(self.allowed) > 1 or (self.groups is None and self.times is None):
            return []
        total = sum(sizes.values())
        expected = {name: min(MAX_SPLIT_SIZE, round(total * self.shares[ALL_SPLITS.index(name)])) for name in sizes}
        kept = "groups" if self.times is None else "rows of one time"
        return [
            f"the {name} split has {size:,} examples and not about {expected[name]:,}, because {kept} stay together: "
            "use more and smaller ones, or name the split of each row by --split-column"
            for name, size in sizes.items()
            if 2 * size < expected[name]
        ]

    def _rows_of(self, stratum: int) -> NDArray[np.bool_] | slice:
        """The examples of a stratum that are kept: a mask `[N]`, or all."""
        if len(self.allowed) == 1:
            return slice(None) if self.kept is None else self.kept
        mask: NDArray[np.bool_] = self.strata == stratum
        return mask if self.kept is None else mask & self.kept

    def _divide(self, rows: NDArray[np.bool_] | slice, shares: list[float], seed: int, stratum: int) -> Assignment:
        """The split of each of a stratum's `rows`, as an index into `shares`; the first takes what the others leave."""
        count = len(self.strata[rows])
        if len(shares) == 1:
            return np.zeros(count, dtype=np.int8)
        total = sum(shares)
        sizes = [min(MAX_SPLIT_SIZE, round(count * share / total)) if total else 0 for share in shares[1:]]
        ends = np.cumsum([max(0, count - sum(sizes)), *sizes])[:-1].tolist()
        rng = np.random.default_rng([seed, 3, stratum])
        if self.times is not None:
            position, groups = self.times[rows], None
        elif self.groups is None:
            position, groups = _permutation(count, rng), None
        else:
            _, groups = np.unique(self.groups[rows], return_inverse=True)
            position = _permutation(int(groups.max(initial=-1)) + 1, rng)[groups]
        # A group goes to the split in which it begins. Without groups and times, positions are a permutation already.
        if groups is None and self.times is None:
            starts, ends = position, _none_empty(ends, count)
        else:
            starts, units = _starts(position)
            ends = np.append(units, count)[_none_empty(np.searchsorted(units, ends).tolist(), len(units))].tolist()
        assignment = np.zeros(count, dtype=np.int8)
        for end in ends:
            assignment += starts >= end
        return assignment


def _permutation(count: int, rng: np.random.Generator) -> NDArray[np.signedinteger[Any]]:
    """A permutation of 0 to `count` - 1: numpy's own, in half the memory if int32 suffices.

    >>> bool((_permutation(1000, np.random.default_rng(0)) == np.random.default_rng(0).permutation(1000)).all())
    True
    """
    if count > np.iinfo(np.int32).max:
        return rng.permutation(count)
    order = np.arange(count, dtype=np.int32)
    rng.shuffle(order)
    return order


def _starts(position: NDArray[np.signedinteger[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of examples before each one's group, `[N]`, and before each group, in order.

    `position` `[N]` is that of its group in the order of groups.
    """
    counts = np.bincount(position)
    before = np.cumsum(counts) - counts
    return before[position], before[counts > 0]


def _none_empty(ends: list[int], count: int) -> list[int]:
    """Move the ends of the splits among `count` units so that none is empty; the last has no end of its own.

    Nothing moves if none is empty, and too few units leave some empty.

    >>> _none_empty([5, 6, 9], 10), _none_empty([2, 2, 3], 4), _none_empty([3, 3, 3], 4), _none_empty([1, 1, 1], 3)
    ([5, 6, 9], [1, 2, 3], [1, 2, 3], [1, 1, 2])
    """
    moved = [*ends]
    for i in range(len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + 1 if i else 1)
    for i in reversed(range(len(moved))):
        moved[i] = max(1, min(moved[i], count - (len(moved) - i)))
    return moved


def _undivided(assignment: Assignment, groups: NDArray[np.int64]) -> Assignment:
    """Move each group to the first split that holds any of it: no group is both trained and measured on."""
    first = np.full(int(groups.max()) + 1, len(ALL_SPLITS), dtype=np.int8)
    np.minimum.at(first, groups, assignment)
    return first[groups]


def _shuffled_first(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """The examples in a mask, `[N]` -> `[T]`, a random sample first; overwrites `mask`."""
    rows = np.flatnonzero(mask)
    if len(rows) <= _SHUFFLED:
        return rng.permutation(rows)
    sample = rows[rng.choice(len(rows), _SHUFFLED, replace=False, shuffle=True)]
    del rows  # free it before allocating as much again
    mask[sample] = False
    return np.concatenate([sample, np.flatnonzero(mask)])
