"""Samples of a scored split for which a test is valid: independent rows, or groups of rows.

A group is a set of rows that are not independent of one another, such as the pictures of one patient, or copies that
are kept together. Tested as if its rows were independent, a promise of 5 % is broken in up to 30 % of draws. Two tests
are valid for groups. Both assume that the groups are drawn independently from one population; within a group the rows
may depend on one another in any way. Let r be the target risk and m the largest number of rows that a group counts
with.

- `betting`: one gain for each group. A group with a answered rows, e of them wrong, gains (r a - e) / ((1 - r) m). If
  the risk over rows, E[e] / E[a], exceeds r, the mean gain is negative; `tails.betting_p_value` tests that.
- `one_row_per_group`: keep one row of each group, with probability (its number of rows) / m, so that every row of the
  population is equally likely. The rows kept are independent, and the exact binomial tail applies.

Both tests are about the risk over rows. Which of them certifies more depends on how strongly the rows of a group
depend on one another; `selective_risk.choose` decides it on `tune`. (For prediction with groups see Dunn, Wasserman and
Ramdas 2018, arXiv 1809.07441, and Lee, Barber and Willett 2023, arXiv 2306.06342.)
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


class CertificateFields(TypedDict):
    """The fields of a certificate that describe its test."""

    unit: Literal["row", "group"]
    test: RiskTest
    groups: int | None
    largest_group: int | None


@dataclass(frozen=True, slots=True)
class Sample:
    """N rows of a split, and the test that is valid for them."""

    test: RiskTest
    rows: NDArray[np.int64]  # [N], of the split
    groups: NDArray[np.int64] | None  # [N], from 0, the group of each row; None if the rows are independent
    largest_group: int  # rows that a group counts with at most
    grouped: bool = True  # whether the split comes in groups

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def group_count(self) -> int | None:
        """The number of groups; None for a split of independent rows."""
        if not self.grouped:
            return None
        return len(self) if self.groups is None else int(self.groups.max(initial=-1)) + 1

    def certificate_fields(self) -> CertificateFields:
        """Describe the test for a certificate."""
        if self.group_count is None:
            return {"unit": "row", "test": self.test, "groups": None, "largest_group": None}
        return {
            "unit": "group",
            "test": self.test,
            "groups": self.group_count,
            "largest_group": self.largest_group,
        }

    def p_value(
        self, losses: _Values, answered: _Mask, level: float, *, binary: bool = True, enough: float = 0.0
    ) -> float:
        """p-value of the hypothesis that the mean loss of an answer exceeds `level`.

        `losses` in [0, 1] and `answered` are `[N]`; the loss of a row that is not answered does not count. `binary` as
        in `tails.mean_p_value`, `enough` as in `tails.betting_p_value`.
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
        """The `p_value` to expect in a split like this one, of `share` times its size."""
        if not 0 < level < 1:
            return self.p_value(losses, answered, level, binary=binary)
        if self.groups is None and binary:
            counts = round(losses[answered].sum() * share), round(answered.sum() * share)
            return float(binomial_p_value(*counts, level))
        return expected_betting_p_value(self._gains(losses, answered, level), share)

    def upper(self, losses: _Values, answered: _Mask, confidence_level: float, *, binary: bool = True) -> float:
        """Upper confidence bound of the mean loss of an answer: the level at which `p_value` is 1 - confidence."""
        if not answered.any():
            return 1.0
        if self.groups is None and binary:
            return clopper_pearson_upper(int(losses[answered].sum()), int(answered.sum()), confidence_level)
        return crossing(lambda level: self.p_value(losses, answered, level, binary=binary), 1 - confidence_level)

    def lower(self, losses: _Values, answered: _Mask, confidence_level: float) -> float:
        """Lower confidence bound of the error rate of the answers; `losses` are 0 or 1."""
        return 1 - self.upper(1 - losses, answered, confidence_level)

    def _gains(self, losses: _Values, answered: _Mask, level: float) -> _Values:
        """The gain of each group, or of each answered row if rows are independent; at least -1."""
        of_rows = np.where(answered, level - losses, 0.0) / (1 - level)
        if self.groups is None:
            return of_rows[answered]
        gains: _Values = np.bincount(self.groups, of_rows) / self.largest_group
        return np.maximum(gains, -1.0)  # below it only by rounding


def largest_group_size(groups: NDArray[np.int64] | None) -> int:
    """The number of rows of the largest group; 1 for independent rows.

    >>> largest_group_size(np.array([7, 3, 7])), largest_group_size(None)
    (2, 1)
    """
    return 1 if groups is None else int(np.unique(groups, return_counts=True)[1].max(initial=1))


def independent_rows(groups: NDArray[np.int64], largest_group: int) -> int:
    """The number of independent rows that a split in groups `[N]` is worth: (rows that count) / `largest_group`.

    A group counts with at most `largest_group` rows. `one_row_per_group` keeps that many rows on average, and if no
    answer is wrong, no test of groups is more powerful.

    >>> independent_rows(np.repeat(np.arange(25), 4), 4), independent_rows(np.array([0, 0, 0, 1]), 2)
    (25, 1)
    """
    counts = np.unique(groups, return_counts=True)[1]
    return int(np.minimum(counts, largest_group).sum()) // largest_group


def samples(groups: NDArray[np.int64] | None, size: int, largest_group: int) -> list[Sample]:
    """The samples on which a split of `size` rows can be tested: one for independent rows, two for groups.

    `largest_group` must be fixed without looking at the split. A larger group counts with that many of its rows, drawn
    at random.
    """
    if groups is None:
        return [Sample("binomial", np.arange(size), None, 1, grouped=False)]
    shuffled, rank = _shuffled(groups)
    counted = rank < largest_group
    rows, is_first = shuffled[counted], rank[counted] == 0
    _, codes, sizes = np.unique(groups[rows], return_inverse=True, return_counts=True)
    kept = np.random.default_rng(1).random(len(sizes)) < sizes / largest_group
    first = rows[is_first]
    return [
        Sample("betting", rows, codes.astype(np.int64), largest_group),
        Sample("one_row_per_group", first[kept[codes[is_first]]], None, largest_group),
    ]


@dataclass(frozen=True, slots=True)
class GatedSplit:
    """A scored split of N rows, the rows that pass the gate, and the samples to test it on."""

    scored: Scored
    inside: _Mask  # [N], whether the gate lets the row in
    samples: list[Sample]

    @classmethod
    def of_split(cls, scored: Scored, inside: _Mask, largest_group: int) -> "GatedSplit":
        """`largest_group` as in `samples`."""
        return cls(scored, inside, samples(scored.groups, len(scored), largest_group))

    @property
    def forecast_samples(self) -> list[Sample]:
        """For `tune`: the samples that forecast each test. One row per group is forecast from all rows."""
        all_rows = np.arange(len(self.scored))
        return [s if s.groups is not None else replace(s, rows=all_rows) for s in self.samples]

    def columns(self, sample: Sample) -> tuple[_Values, _Values, _Mask]:
        """Confidence, error (0 or 1) and whether the gate lets the row in, for each row of a sample."""
        rows = sample.rows
        confidence = self.scored.scores.confidence[rows].astype(np.float64)
        return confidence, self.scored.wrong[rows].astype(np.float64), self.inside[rows]


def _shuffled(groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All rows, group by group, in random order within each; and the position of each in its group, from 0."""
    drawn = np.random.default_rng(0).permutation(len(groups))
    order = drawn[np.argsort(groups[drawn], kind="stable")]
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, np.int64)
    sizes = np.diff(np.r_[starts, len(ordered)])
    return order, np.arange(len(ordered)) - np.repeat(starts, sizes)
