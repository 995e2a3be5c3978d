"""Examples that repeat another: finding them, and the rule for their splits.

In a table of categories rows repeat naturally, and each is an example of its own: `free`. A picture or an embedding
that occurs twice is one object recorded twice: `one` keeps the first. `together` keeps all copies, in one split.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from service.contract.inputs import FeaturesInput, ImageInput
from training.data.coded import CodedColumn
from training.data.options import Copies


def default_copies(kind: ImageInput | FeaturesInput) -> Copies:
    """The value of `--copies` if the user gives none."""
    return "free" if isinstance(kind, FeaturesInput) and kind.columns is not None else "one"


@dataclass(frozen=True, slots=True)
class CopySets:
    """The R examples that share their hash with another, as K sets of copies."""

    rows: NDArray[np.int64]  # [R], rising
    sets: NDArray[np.int64]  # [R], 0 to K - 1, the set of each

    @classmethod
    def from_hashes(cls, hashes: NDArray[np.uint64]) -> "CopySets":
        """Find the copies by the hashes of all N examples, `[N]`.

        >>> CopySets.from_hashes(np.array([5, 7, 5, 9], dtype=np.uint64))
        CopySets(rows=array([0, 2]), sets=array([0, 0]))
        """
        ordered = np.sort(hashes)  # takes much less time and memory than argsort, and usually nothing repeats
        if not (ordered[1:] == ordered[:-1]).any():
            return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        order = np.argsort(hashes)
        ordered = hashes[order]
        starts = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        del ordered  # free it before allocating as much again
        repeated = ~(starts & np.concatenate([starts[1:], [True]]))
        rows, sets = order[repeated], np.cumsum(starts[repeated]) - 1
        del order
        rising = np.argsort(rows)
        return cls(rows[rising], sets[rising])

    @property
    def set_count(self) -> int:
        """K, the number of sets."""
        return int(self.sets.max()) + 1 if len(self.sets) else 0

    @property
    def repeat_count(self) -> int:
        """The number of examples that repeat an earlier one: R - K."""
        return len(self.rows) - self.set_count

    def conflict_count(self, labels: CodedColumn) -> int:
        """The number of sets whose copies have different labels."""
        codes = labels.codes[self.rows]
        lowest, highest = np.full(self.set_count, len(labels.names)), np.full(self.set_count, -1)
        np.minimum.at(lowest, self.sets, codes)
        np.maximum.at(highest, self.sets, codes)
        return int((lowest != highest).sum())

    def keep_first(self, size: int, order: NDArray[np.int8]) -> NDArray[np.bool_] | None:
        """Which of all `size` examples to keep, `[N]`, if one of each set is kept; None if nothing repeats.

        It is the first by `order` `[N]`; among equals, the first in the data.

        >>> copy_sets = CopySets.from_hashes(np.array([5, 7, 5], dtype=np.uint64))
        >>> copy_sets.keep_first(3, np.array([1, 0, 0], dtype=np.int8))
        array([False,  True,  True])
        """
        if not len(self.rows):
            return None
        ranks = order[self.rows] * np.int64(size) + self.rows
        first = np.full(self.set_count, np.iinfo(np.int64).max)
        np.minimum.at(first, self.sets, ranks)
        kept = np.ones(size, dtype=bool)
        kept[self.rows] = False
        kept[first % size] = True
        return kept

    def joined_groups(self, size: int, groups: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        """The group of each of all `size` examples, `[N]`, with copies in one group; None if nothing repeats.

        `groups` `[N]` are those of a column, or None. Groups that share a copy become one.
        """
        if not len(self.rows):
            return groups
        if groups is None:
            own = np.arange(size)
            first = np.full(self.set_count, size)
            np.minimum.at(first, self.sets, self.rows)
            own[self.rows] = first[self.sets]
            return own
        group_count = int(groups.max()) + 1
        # A graph of groups and sets of copies, with an edge for each row that is in both.
        edges = coo_array(
            (np.ones(len(self.rows)), (groups[self.rows], group_count + self.sets)),
            shape=(group_count + self.set_count, group_count + self.set_count),
        )
        _, component = connected_components(edges, directed=False)
        joined: NDArray[np.int64] = component[groups].astype(np.int64)
        return joined


def warning_lines(
    copy_sets: CopySets, labels: CodedColumn, noun: str, copies: Copies, *, given: bool, strata: bool
) -> list[str]:
    """The warnings for data with copies. `noun` is what an example is called.

    `given`: whether the user gave `--copies`. `strata`: whether the data fix which splits an example may be in.
    """
    count = copy_sets.repeat_count
    repeats = f"{count:,} {noun}{'s' * (count != 1)} repeat{'s' * (count == 1)} another"
    if copies == "free":
        if given:
            return []
        return [
            f"{repeats}, and count as examples of their own. That is right if {noun}s repeat naturally, as categories "
            "do (then give --copies free). If the same thing was recorded twice, give --copies one"
        ]
    if copies == "one":
        first = "in the first split that may have it" if strata else "in the data"
        line = f"{repeats} and {'are' if count != 1 else 'is'} left out (--copies one): the first {first} is kept"
        whose, conflict = f"of the {noun}s kept", "copies with other labels: the label of the first is kept"
    else:
        moved = ", the first of their splits, which overrides the given split of the others" if strata else ""
        line = (
            f"{len(copy_sets.rows):,} examples are copies of {copy_sets.set_count:,}: all copies of one go to the same "
            f"split{moved}"
        )
        whose, conflict = "of those", "copies with different labels"
    conflicts = copy_sets.conflict_count(labels)
    if not conflicts:
        return [line]
    return [line, f"{conflicts:,} {whose} {'has' if conflicts == 1 else 'have'} {conflict}"]


def summary_line(copy_sets: CopySets, size: int, noun: str, copies: Copies) -> str:
    """How the copies among `size` examples are treated."""
    some = f"{copy_sets.repeat_count:,} of {size:,} {noun}s"
    match copies:
        case "free":
            return f"{some} repeat another, and count as examples of their own"
        case "one":
            return f"{some} left out"
        case "together":
            return f"{some} repeat another, and stay in its split"


def population_suffix(copy_sets: CopySets, noun: str, copies: Copies, method: str) -> str:
    """The end of a population's description if examples repeat, by the method that divided them."""
    drawn = method in ("drawn", "strata")
    count = copy_sets.repeat_count
    if copies == "free" and drawn:
        return f", each {noun} by itself ({count:,} of them repeat{'s' * (count == 1)} another)"
    if copies == "together" and method == "groups":
        return "; those that share a copy are joined"
    if copies == "together":
        return " so that copies stay together" if drawn else "; copies are together in the first split that has one"
    return ""
