"""Examples that repeat another: which they are, and what becomes of them.

In a table of categories rows repeat naturally, and each is an example of its own: `free`. A picture or an embedding
that occurs twice is one object recorded twice: `one` keeps the first. `together` keeps all copies, in one split.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from service.contract.inputs import FeaturesInput, ImageInput
from training.data.coded import Coded
from training.data.options import Copies


def by_default(kind: ImageInput | FeaturesInput) -> Copies:
    """What becomes of copies where `--copies` says nothing."""
    return "free" if isinstance(kind, FeaturesInput) and kind.columns is not None else "one"


@dataclass(frozen=True, slots=True)
class Repeated:
    """The R examples that share their hash with another, as K sets of copies."""

    rows: NDArray[np.int64]  # [R], rising
    sets: NDArray[np.int64]  # [R], 0 to K - 1: the set of copies that each belongs to

    @classmethod
    def among(cls, hashes: NDArray[np.uint64]) -> "Repeated":
        """Find them by the hashes of all N examples, `[N]`.

        >>> Repeated.among(np.array([5, 7, 5, 9], dtype=np.uint64))
        Repeated(rows=array([0, 2]), sets=array([0, 0]))
        """
        ordered = np.sort(hashes)  # takes much less time and memory than argsort, and mostly nothing repeats
        if not (ordered[1:] == ordered[:-1]).any():
            return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        order = np.argsort(hashes)
        ordered = hashes[order]
        begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        del ordered  # before as much is made again
        repeated = ~(begins & np.concatenate([begins[1:], [True]]))
        rows, sets = order[repeated], np.cumsum(begins[repeated]) - 1
        del order
        rising = np.argsort(rows)
        return cls(rows[rising], sets[rising])

    @property
    def kinds(self) -> int:
        """K, the number of sets."""
        return int(self.sets.max()) + 1 if len(self.sets) else 0

    @property
    def repeats(self) -> int:
        """How many examples repeat an earlier one: R - K."""
        return len(self.rows) - self.kinds

    def disagreeing(self, labels: Coded) -> int:
        """The number of sets whose copies have different labels."""
        codes = labels.codes[self.rows]
        least, most = np.full(self.kinds, len(labels.names)), np.full(self.kinds, -1)
        np.minimum.at(least, self.sets, codes)
        np.maximum.at(most, self.sets, codes)
        return int((least != most).sum())

    def first_of_each(self, size: int, order: NDArray[np.int8]) -> NDArray[np.bool_] | None:
        """Which of all `size` examples are kept, `[N]`, where one of each set is; None where nothing repeats.

        It is the first by `order` `[N]`, and among equals the first of the data.

        >>> repeated = Repeated.among(np.array([5, 7, 5], dtype=np.uint64))
        >>> repeated.first_of_each(3, np.array([1, 0, 0], dtype=np.int8))
        array([False,  True,  True])
        """
        if not len(self.rows):
            return None
        places = order[self.rows] * np.int64(size) + self.rows
        first = np.full(self.kinds, np.iinfo(np.int64).max)
        np.minimum.at(first, self.sets, places)
        kept = np.ones(size, dtype=bool)
        kept[self.rows] = False
        kept[first % size] = True
        return kept

    def joined_groups(self, size: int, groups: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        """The group of each of all `size` examples, `[N]`, with copies in one group; None if nothing repeats.

        `groups` `[N]` are those of a column, or None: groups that share a copy become one.
        """
        if not len(self.rows):
            return groups
        if groups is None:
            own = np.arange(size)
            first = np.full(self.kinds, size)
            np.minimum.at(first, self.sets, self.rows)
            own[self.rows] = first[self.sets]
            return own
        many = int(groups.max()) + 1
        # A graph of groups and of sets of copies, with an edge for each row that is in both.
        edges = coo_array(
            (np.ones(len(self.rows)), (groups[self.rows], many + self.sets)),
            shape=(many + self.kinds, many + self.kinds),
        )
        _, component = connected_components(edges, directed=False)
        joined: NDArray[np.int64] = component[groups].astype(np.int64)
        return joined


def warning_lines(
    repeated: Repeated, labels: Coded, one: str, copies: Copies, *, asked: bool, apart: bool
) -> list[str]:
    """What a user must hear where examples repeat. `one` is what an example is called.

    `asked`: whether `--copies` was given. `apart`: whether the data say which examples are for which splits.
    """
    count = repeated.repeats
    again = f"{count:,} {one}{'s' * (count != 1)} repeat{'s' * (count == 1)} another"
    if copies == "free":
        taken = (
            f"{again}, and count as examples of their own. That is right where {one}s repeat naturally, as categories "
            "do (--copies free says so). Where the same thing was recorded twice, give --copies one"
        )
        return [] if asked else [taken]
    if copies == "one":
        first = "of the first split that may have it" if apart else "of the data"
        said = f"{again} and {'are' if count != 1 else 'is'} left out (--copies one): the first {first} is kept"
        whose, clash = f"of the {one}s kept", "copies with other labels: the label of the first is kept"
    else:
        moved = ", in the first of the splits that have it, whatever was given for the others" if apart else ""
        said = (
            f"{len(repeated.rows):,} examples are {repeated.kinds:,} that occur more than once: all copies of one go "
            f"to the same split{moved}"
        )
        whose, clash = "of those", "copies with different labels"
    disagreeing = repeated.disagreeing(labels)
    return [said, f"{disagreeing:,} {whose} {'has' if disagreeing == 1 else 'have'} {clash}"] if disagreeing else [said]


def summary_line(repeated: Repeated, size: int, one: str, copies: Copies) -> str:
    """What becomes of the copies among `size` examples."""
    some = f"{repeated.repeats:,} of {size:,} {one}s"
    match copies:
        case "free":
            return f"{some} repeat another, and count as examples of their own"
        case "one":
            return f"{some} left out"
        case "together":
            return f"{some} repeat another, and stay in its split"


def population_suffix(repeated: Repeated, one: str, copies: Copies, way: str) -> str:
    """What the text of a population ends in where examples repeat, by the way that they were divided."""
    drawn = way in ("drawn", "apart")
    if copies == "free" and drawn:
        return f", each {one} for itself ({repeated.repeats:,} of them repeat{'s' * (repeated.repeats == 1)} another)"
    if copies == "together" and way == "groups":
        return "; those that share a copy are joined"
    if copies == "together":
        return " so that copies stay together" if drawn else "; copies are together in the first split that has one"
    return ""
