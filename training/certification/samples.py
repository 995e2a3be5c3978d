"""What of a split a test takes: its rows where they are independent, and groups of rows where they are not.

The rows of one group, such as one patient, may err together. Counted as if they were independent they break a promise
of 5 % in up to 30 % of all draws. Two tests hold for groups, whatever the rows of one have in common:

- `betting` on the groups themselves. A group with a answered rows, e of them wrong, has the gain
  (r a - e) / ((1 - r) m), m the most rows that a group counts with. Where the risk over rows, E e / E a, is over r,
  its mean is under 0.
- `one_row_per_group`: one row of a group, which is kept with probability (its rows) / m, so that each row of the
  population has the same chance. These rows are independent, and the exact binomial tail holds for them.

Both promise the same: the risk over rows. Which of them answers more depends on how much the rows of a group have in
common, and is decided on `tune`. (Of prediction for groups: Dunn, Wasserman and Ramdas 2018, arXiv 1809.07441; Lee,
Barber and Willett 2023, arXiv 2306.06342.)
"""

from dataclasses import dataclass, replace
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import RiskTest
from training.certification.scored import Scored
from training.certification.tails import (
    betting_p_value,
    binomial_p_value,
    clopper_pearson_upper,
    crossing,
    expected_betting_p_value,
)

_Mask = NDArray[np.bool_]
_Values = NDArray[np.float64]


class Stated(TypedDict):
    """The fields of a certificate that say how it was tested."""

    unit: Literal["row", "group"]
    test: RiskTest
    groups: int | None
    largest_group: int | None


@dataclass(frozen=True, slots=True)
class Sample:
    """N rows of a split that a test takes."""

    test: RiskTest
    rows: NDArray[np.int64]  # [N], of the split
    groups: NDArray[np.int64] | None  # [N], from 0, the group of each row; None where the rows are independent
    largest: int  # rows that a group counts with at most
    grouped: bool = True  # whether the split comes in groups

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def group_count(self) -> int | None:
        """How many groups there are; None for a split of independent rows."""
        if not self.grouped:
            return None
        return len(self) if self.groups is None else int(self.groups.max(initial=-1)) + 1

    def stated(self) -> "Stated":
        """What a certificate says of the test."""
        if self.group_count is None:
            return {"unit": "row", "test": self.test, "groups": None, "largest_group": None}
        return {"unit": "group", "test": self.test, "groups": self.group_count, "largest_group": self.largest}

    def p_value(
        self, losses: _Values, answered: _Mask, level: float, *, binary: bool = True, enough: float = 0.0
    ) -> float:
        """p-value of "an answer loses more than `level` on average"; `losses` in [0, 1] and `answered` of the rows.

        Losses count only where there is an answer. `binary` as in `tails.mean_p_value`, `enough` as in
        `tails.betting_p_value`.
        """
        if not answered.any() or level <= 0:
            return 1.0
        if level >= 1:
            return 0.0
        if self.groups is None and binary:
            return float(binomial_p_value(int(losses[answered].sum()), int(answered.sum()), level))
        return betting_p_value(self._gains(losses, answered, level), enough)

    def expected_p_value(
        self, losses: _Values, answered: _Mask, level: float, share: float, *, binary: bool = True
    ) -> float:
        """What `p_value` may come to in a split of `share` times this size."""
        if not 0 < level < 1:
            return self.p_value(losses, answered, level, binary=binary)
        if self.groups is None and binary:
            counts = round(losses[answered].sum() * share), round(answered.sum() * share)
            return float(binomial_p_value(*counts, level))
        return expected_betting_p_value(self._gains(losses, answered, level), share)

    def upper(self, losses: _Values, answered: _Mask, confidence_level: float, *, binary: bool = True) -> float:
        """Upper bound of the mean loss of an answer: the level at which `p_value` falls to 1 - confidence."""
        if not answered.any():
            return 1.0
        if self.groups is None and binary:
            return clopper_pearson_upper(int(losses[answered].sum()), int(answered.sum()), confidence_level)
        return crossing(lambda level: self.p_value(losses, answered, level, binary=binary), 1 - confidence_level)

    def lower(self, losses: _Values, answered: _Mask, confidence_level: float) -> float:
        """Lower bound of the error rate of the answers; `losses` 0 or 1. As `upper`, of the share of right answers."""
        return 1 - self.upper(1 - losses, answered, confidence_level)

    def _gains(self, losses: _Values, answered: _Mask, level: float) -> _Values:
        """The gain of each group, or of each answered row where there are none: at least -1."""
        of_rows = np.where(answered, level - losses, 0.0) / (1 - level)
        if self.groups is None:
            return of_rows[answered]
        gains: _Values = np.bincount(self.groups, of_rows) / self.largest
        return np.maximum(gains, -1.0)  # under it only by rounding


def largest_group_size(groups: NDArray[np.int64] | None) -> int:
    """The most rows that one group has.

    >>> largest_group_size(np.array([7, 3, 7])), largest_group_size(None)
    (2, 1)
    """
    return 1 if groups is None else int(np.unique(groups, return_counts=True)[1].max(initial=1))


def independent_rows(groups: NDArray[np.int64], largest: int) -> int:
    """How many independent rows a split in groups `[N]` is worth: (the rows that count) / `largest`.

    A group counts with at most `largest` rows. The quotient is how many rows `one_row_per_group` keeps on
    average. Without an error no test of groups is stronger.

    >>> independent_rows(np.repeat(np.arange(25), 4), 4), independent_rows(np.array([0, 0, 0, 1]), 2)
    (25, 1)
    """
    counts = np.unique(groups, return_counts=True)[1]
    return int(np.minimum(counts, largest).sum()) // largest


def samples(groups: NDArray[np.int64] | None, size: int, largest: int) -> list[Sample]:
    """The ways to test a split of `size` rows: one where rows are independent, and two where they come in groups.

    `largest` is fixed without the split. A larger group counts with that many of its rows, drawn at random.
    """
    if groups is None:
        return [Sample("binomial", np.arange(size), None, 1, grouped=False)]
    shuffled, counted = _shuffled(groups)
    rows = shuffled[counted < largest]
    _, codes, sizes = np.unique(groups[rows], return_inverse=True, return_counts=True)
    whole = Sample("betting", rows, codes.astype(np.int64), largest)
    kept = np.random.default_rng(1).random(len(sizes)) < sizes / largest
    first = rows[counted[counted < largest] == 0]
    one = first[kept[codes[counted[counted < largest] == 0]]]
    return [whole, Sample("one_row_per_group", one, None, largest)]


@dataclass(frozen=True, slots=True)
class Side:
    """A split, scored, with what the gate lets in and the ways to test it."""

    scored: Scored
    inside: _Mask  # [N]
    samples: list[Sample]

    @classmethod
    def of_split(cls, scored: Scored, inside: _Mask, largest: int) -> "Side":
        """`largest` as in `samples`."""
        return cls(scored, inside, samples(scored.groups, len(scored), largest))

    @property
    def outlooks(self) -> list[Sample]:
        """Where this is `tune`: what to foresee each of the tests by. Of one row a group, all rows tell as much."""
        everything = np.arange(len(self.scored))
        return [s if s.groups is not None else replace(s, rows=everything) for s in self.samples]

    def of(self, sample: Sample) -> tuple[_Values, _Values, _Mask]:
        """Confidence, error (0 or 1) and whether the gate lets it in, of each row of a sample."""
        rows = sample.rows
        confidence = self.scored.scores.confidence[rows].astype(np.float64)
        return confidence, self.scored.wrong[rows].astype(np.float64), self.inside[rows]


def _shuffled(groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All rows, group by group, each group's in random order, and the place of each row in its group, from 0."""
    drawn = np.random.default_rng(0).permutation(len(groups))
    order = drawn[np.argsort(groups[drawn], kind="stable")]
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, np.int64)
    sizes = np.diff(np.r_[starts, len(ordered)])
    return order, np.arange(len(ordered)) - np.repeat(starts, sizes)
