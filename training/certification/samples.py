"""What of a split a test takes: its rows where they are independent, and units of rows where they are not.

The rows of one unit, such as one patient, may err together. Counted as if they were independent they break a promise
of 5 % in up to 30 % of all draws. Two tests hold for units, whatever the rows of one have in common:

- `betting` on the units themselves. A unit with a answered rows, e of them wrong, has the gain (r a - e) / ((1 - r) m),
  m the most rows that a unit counts with. Where the risk over rows, E e / E a, is over r, its mean is under 0.
- `one_row_per_group`: one row of a unit, which is kept with probability (its rows) / m, so that each row of the
  population has the same chance. These rows are independent, and the exact binomial tail holds for them.

Both promise the same: the risk over rows. Which of them answers more depends on how much the rows of a unit have in
common, and is decided on `tune`. (Of prediction for units: Dunn, Wasserman and Ramdas 2018, arXiv 1809.07441; Lee,
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
    units: NDArray[np.int64] | None  # [N], from 0, the unit of each row; None where the rows are independent
    largest: int  # rows that a unit counts with at most
    grouped: bool = True  # whether the split comes in units

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def groups(self) -> int | None:
        """How many units there are; None for a split of independent rows."""
        if not self.grouped:
            return None
        return len(self) if self.units is None else int(self.units.max(initial=-1)) + 1

    def stated(self) -> "Stated":
        """What a certificate says of the test."""
        if self.groups is None:
            return {"unit": "row", "test": self.test, "groups": None, "largest_group": None}
        return {"unit": "group", "test": self.test, "groups": self.groups, "largest_group": self.largest}

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
        if self.units is None and binary:
            return float(binomial_p_value(int(losses[answered].sum()), int(answered.sum()), level))
        return betting_p_value(self._gains(losses, answered, level), enough)

    def expected_p_value(
        self, losses: _Values, answered: _Mask, level: float, share: float, *, binary: bool = True
    ) -> float:
        """What `p_value` may come to in a split of `share` times this size."""
        if not 0 < level < 1:
            return self.p_value(losses, answered, level, binary=binary)
        if self.units is None and binary:
            counts = round(losses[answered].sum() * share), round(answered.sum() * share)
            return float(binomial_p_value(*counts, level))
        return expected_betting_p_value(self._gains(losses, answered, level), share)

    def upper(self, losses: _Values, answered: _Mask, confidence_level: float, *, binary: bool = True) -> float:
        """Upper bound of the mean loss of an answer: the level at which `p_value` falls to 1 - confidence."""
        if not answered.any():
            return 1.0
        if self.units is None and binary:
            return clopper_pearson_upper(int(losses[answered].sum()), int(answered.sum()), confidence_level)
        return crossing(lambda level: self.p_value(losses, answered, level, binary=binary), 1 - confidence_level)

    def lower(self, losses: _Values, answered: _Mask, confidence_level: float) -> float:
        """Lower bound of the error rate of the answers; `losses` 0 or 1. As `upper`, of the share of right answers."""
        return 1 - self.upper(1 - losses, answered, confidence_level)

    def _gains(self, losses: _Values, answered: _Mask, level: float) -> _Values:
        """The gain of each unit, or of each answered row where there are none: at least -1."""
        of_rows = np.where(answered, level - losses, 0.0) / (1 - level)
        if self.units is None:
            return of_rows[answered]
        gains: _Values = np.bincount(self.units, of_rows) / self.largest
        return np.maximum(gains, -1.0)  # under it only by rounding


def largest_unit(units: NDArray[np.int64] | None) -> int:
    """The most rows that one unit has.

    >>> largest_unit(np.array([7, 3, 7])), largest_unit(None)
    (2, 1)
    """
    return 1 if units is None else int(np.unique(units, return_counts=True)[1].max(initial=1))


def independent_rows(units: NDArray[np.int64], largest: int) -> int:
    """How many independent rows a split in units `[N]` is worth: (the rows that count) / `largest`.

    A unit counts with at most `largest` rows. The quotient is how many rows `one_row_per_group` keeps on
    average. Without an error no test of units is stronger.

    >>> independent_rows(np.repeat(np.arange(25), 4), 4), independent_rows(np.array([0, 0, 0, 1]), 2)
    (25, 1)
    """
    counts = np.unique(units, return_counts=True)[1]
    return int(np.minimum(counts, largest).sum()) // largest


def samples(units: NDArray[np.int64] | None, size: int, largest: int) -> list[Sample]:
    """The ways to test a split of `size` rows: one where rows are independent, and two where they come in units.

    `largest` is fixed without the split. A larger unit counts with that many of its rows, drawn at random.
    """
    if units is None:
        return [Sample("binomial", np.arange(size), None, 1, grouped=False)]
    shuffled, counted = _shuffled(units)
    rows = shuffled[counted < largest]
    _, codes, sizes = np.unique(units[rows], return_inverse=True, return_counts=True)
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
        return cls(scored, inside, samples(scored.units, len(scored), largest))

    @property
    def outlooks(self) -> list[Sample]:
        """Where this is `tune`: what to foresee each of the tests by. Of one row a unit, all rows tell as much."""
        everything = np.arange(len(self.scored))
        return [s if s.units is not None else replace(s, rows=everything) for s in self.samples]

    def of(self, sample: Sample) -> tuple[_Values, _Values, _Mask]:
        """Confidence, error (0 or 1) and whether the gate lets it in, of each row of a sample."""
        rows = sample.rows
        confidence = self.scored.scores.confidence[rows].astype(np.float64)
        return confidence, self.scored.wrong[rows].astype(np.float64), self.inside[rows]


def _shuffled(units: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All rows, unit by unit, each unit's in random order, and the place of each row in its unit, from 0."""
    drawn = np.random.default_rng(0).permutation(len(units))
    order = drawn[np.argsort(units[drawn], kind="stable")]
    ordered = units[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, np.int64)
    sizes = np.diff(np.r_[starts, len(ordered)])
    return order, np.arange(len(ordered)) - np.repeat(starts, sizes)
