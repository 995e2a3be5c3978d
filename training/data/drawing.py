"""How the examples of one pool are divided among the splits: which example goes where, for a seed.

A group, be it the rows of one patient or copies of one row, is never divided.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.manifest import SplitName
from training.data.options import Shares
from training.data.raw import ALL_SPLITS
from training.errors import DataError

CAP = 50_000  # of each split but train; more would move a bound by nothing that matters
_HEAD = 50_000  # examples of a split that stand in an order of the draw

Sides = NDArray[np.int8]  # [N], indices into ALL_SPLITS, or _LEFT_OUT
_LEFT_OUT = len(ALL_SPLITS)


@dataclass(frozen=True, slots=True)
class Drawing:
    """The rule by which N examples are divided. The same rule and seed divide them alike."""

    shares: Shares
    strata: NDArray[np.int8]  # [N], which of `allowed` an example belongs to
    allowed: tuple[tuple[SplitName, ...], ...]  # of each stratum: the splits that its examples are divided among
    groups: NDArray[np.int64] | None = None  # [N], equal where examples stay together; None: each on its own
    times: NDArray[np.int64] | None = None  # [N], ranks: the splits are in order of time, not drawn
    kept: NDArray[np.bool_] | None = None  # [N], False where an example is in no split; None: all are kept

    def sides(self, seed: int) -> Sides:
        """The split of each example, `len(ALL_SPLITS)` where it is left out.

        Raises DataError where a split would be empty.
        """
        sides = np.full(len(self.strata), _LEFT_OUT, dtype=np.int8)
        for number, names in enumerate(self.allowed):
            rows = self._rows_of(number)
            splits = np.array([ALL_SPLITS.index(name) for name in names], dtype=np.int8)
            sides[rows] = splits[self._divide(rows, [self.shares[s] for s in splits], seed, number)]
        if self.groups is not None:
            sides = _together(sides, self.groups)
            if self.kept is not None:
                sides[~self.kept] = _LEFT_OUT
        self._check_none_empty(sides)
        return sides

    def rows(self, seed: int) -> dict[SplitName, NDArray[np.int64]]:
        """The examples of each split.

        The first of them are a draw from the split, so that they can stand for it; the rest stand in the order of
        the file, so that a pass over it reads it from front to back.
        """
        sides = self.sides(seed)
        return {name: _head_drawn(sides == i, np.random.default_rng([seed, 2, i])) for i, name in enumerate(ALL_SPLITS)}

    def sizes(self, seed: int) -> dict[SplitName, int]:
        """How many examples each split has. Raises DataError where one would be empty."""
        counts = np.bincount(self.sides(seed), minlength=len(ALL_SPLITS))[: len(ALL_SPLITS)]
        return dict(zip(ALL_SPLITS, counts.tolist(), strict=True))

    def _check_none_empty(self, sides: Sides) -> None:
        empty = [name for i, name in enumerate(ALL_SPLITS) if not (sides == i).any()]
        if not empty:
            return
        divided = sides != _LEFT_OUT
        copies = len(sides) - int(divided.sum())
        raise DataError(
            f"no example is left for {' and '.join(empty)}: there are {len(sides) - copies} examples"
            + ("" if self.groups is None else f" in {len(np.unique(self.groups[divided]))} groups that stay together")
            + (f" ({copies} copies left out)" if copies else "")
            + "; give more, or others by --split-shares"
        )

    def _rows_of(self, stratum: int) -> NDArray[np.bool_] | slice:
        """The examples of a stratum that are kept: a mask `[N]`, or all."""
        if len(self.allowed) == 1:
            return slice(None) if self.kept is None else self.kept
        chosen: NDArray[np.bool_] = self.strata == stratum
        return chosen if self.kept is None else chosen & self.kept

    def _divide(self, rows: NDArray[np.bool_] | slice, shares: list[float], seed: int, stratum: int) -> Sides:
        """Which of the stratum's splits each of its `rows` goes to; the first split takes what the others leave."""
        count = len(self.strata[rows])
        if len(shares) == 1:
            return np.zeros(count, dtype=np.int8)
        total = sum(shares)
        sizes = [min(CAP, round(count * share / total)) if total else 0 for share in shares[1:]]
        ends = np.cumsum([max(0, count - sum(sizes)), *sizes])[:-1]
        rng = np.random.default_rng([seed, 3, stratum])
        if self.times is not None:
            line, groups = self.times[rows], None
        elif self.groups is None:
            line, groups = _permutation(count, rng), None
        else:
            _, groups = np.unique(self.groups[rows], return_inverse=True)
            line = _permutation(int(groups.max(initial=-1)) + 1, rng)[groups]
        # A group goes to the split in which it begins. Without groups and times the line is a permutation.
        starts = line if groups is None and self.times is None else _starts(line)
        sides = np.zeros(count, dtype=np.int8)
        for end in ends.tolist():
            sides += starts >= end
        return sides


def _permutation(count: int, rng: np.random.Generator) -> NDArray[np.signedinteger[Any]]:
    """A permutation of 0 to `count` - 1: numpy's own, in half the memory where that holds it.

    >>> bool((_permutation(1000, np.random.default_rng(0)) == np.random.default_rng(0).permutation(1000)).all())
    True
    """
    if count > np.iinfo(np.int32).max:
        return rng.permutation(count)
    order = np.arange(count, dtype=np.int32)
    rng.shuffle(order)
    return order


def _starts(line: NDArray[np.signedinteger[Any]]) -> NDArray[np.int64]:
    """The number of examples before each one's group; `line` is the position of its group in the order."""
    counts = np.bincount(line)
    starts: NDArray[np.int64] = (np.cumsum(counts) - counts)[line]
    return starts


def _together(sides: Sides, groups: NDArray[np.int64]) -> Sides:
    """Move each group to the first split that holds any of it: no example of a trained group is measured."""
    first = np.full(int(groups.max()) + 1, len(ALL_SPLITS), dtype=np.int8)
    np.minimum.at(first, groups, sides)
    return first[groups]


def _head_drawn(taken: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """The examples that are taken, `[N]` -> `[T]`; `taken` is used up."""
    rows = np.flatnonzero(taken)
    if len(rows) <= _HEAD:
        return rng.permutation(rows)
    head = rows[rng.choice(len(rows), _HEAD, replace=False, shuffle=True)]
    del rows  # before as much is made again
    taken[head] = False
    return np.concatenate([head, np.flatnonzero(taken)])
