"""How much a model would answer with other numbers of calibration examples, estimated on the tune split alone.

The calibration split must not be looked at before its targets are chosen, so `tune` stands for it. One half of tune
fixes the gate and the sequence of thresholds. The other half is the population: calibration splits of every size are
drawn from it with replacement, and each is certified by the code that certifies a published model. Then the halves
swap, so every example is in a population once: halving costs precision in the thresholds, not in the estimate.

A population without an error among few examples would promise any risk. So a half says nothing of a risk that it is
too small to certify itself (`Plan.known`).

Rows in units are drawn as whole units until there are n rows on average. Tests of units take long, so fewer splits
are drawn, and about 50 of the thresholds are tested. Each costs coverage or precision of a per cent or two.
"""

from collections.abc import Sequence as Several
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.abstention.gate import gate
from training.abstention.principal_components import PrincipalComponents
from training.abstention.samples import Side, independent_rows
from training.abstention.scored import Scored
from training.abstention.selective_risk import Sequence, best_outlook, last_passed, least_examples
from training.abstention.settings import AbstentionSettings

SIZES = (200, 500, 1_000, 2_000, 5_000, 10_000)
LEAST_IN_A_HALF = 50  # independent rows

_DRAWS, _DRAWS_OF_UNITS = 100, 20  # of each half and each n
_FEWER = 50  # thresholds, for units
_ENOUGH = 0.95  # of the coverage that the largest n gives


@dataclass(frozen=True, slots=True)
class Plan:
    """The mean share that is answered, 0 where nothing is certified, for each risk and each number of rows n."""

    risks: tuple[float, ...]  # [R], rising
    sizes: tuple[int, ...]  # [S], rising, in rows
    coverage: NDArray[np.float64]  # [R, S]
    known: NDArray[np.bool_]  # [R], whether tune is large enough for the risk
    possible: NDArray[np.bool_]  # [R, S], whether n rows can certify the risk at all

    def recommended(self, risk: float) -> int | None:
        """The fewest rows with 95 % of the most coverage in the table; None where nothing is certified, or known."""
        row = self.risks.index(risk)
        coverage = self.coverage[row]
        if not self.known[row] or coverage.max() == 0:
            return None
        return self.sizes[int(np.flatnonzero(coverage >= _ENOUGH * coverage.max())[0])]


@dataclass(frozen=True, slots=True)
class _Half:
    """What one half of tune fixes, and the other half as the population."""

    sequence: Sequence
    fixed: Side
    population: Scored
    inside: NDArray[np.bool_]  # of the population
    largest: int

    @classmethod
    def of(
        cls,
        fixing: Scored,
        population: Scored,
        components: PrincipalComponents,
        settings: AbstentionSettings,
        largest: int,
    ) -> "_Half":
        rate, level = settings.false_alarm_rate, settings.confidence_level
        limit = gate(fixing, components, rate, level, largest).threshold
        inside, theirs = (part.scores.ood_score.astype(np.float64) <= limit for part in (fixing, population))
        sequence = Sequence.on(fixing.scores.confidence, fixing.wrong, inside)
        if fixing.units is not None:
            sequence = _thinned(sequence)
        return cls(sequence, Side.of_split(fixing, inside, largest), population, theirs, largest)

    def draw(self, size: int, rng: np.random.Generator) -> Side:
        """A calibration split of `size` rows; of whole units, so many rows on average."""
        scored = self.population
        if scored.units is None:
            rows = rng.integers(0, len(scored), size)
            return Side.of_split(scored.take(rows), self.inside[rows], self.largest)
        rows, units = _drawn_units(scored.units, size, rng)
        return Side.of_split(replace(scored.take(rows), units=units), self.inside[rows], self.largest)


def plan(
    tune: Scored,
    components: PrincipalComponents,
    settings: AbstentionSettings,
    sizes: Several[int],
    largest: int = 1,
    seed: int = 0,
) -> Plan | None:
    """What to expect of calibration splits of `sizes` rows; None where a half of tune has under 50 independent rows.

    `largest` as in `samples`: the most rows of a unit of train. The same seed gives the same plan.
    """
    halves = _halves(tune, np.random.default_rng([seed, 4]))
    least = min(_independent(half, largest) for half in halves)
    if least < LEAST_IN_A_HALF:
        return None
    risks, sizes, level = sorted(settings.selective_risk), sorted(set(sizes)), settings.risk_level
    coverage = [
        _coverage(_Half.of(*pair, components, settings, largest), risks, sizes, level, [seed, 5, way])
        for way, pair in enumerate((halves, halves[::-1]))
    ]
    needed = np.array([least_examples(risk, level) for risk in risks])
    worth = np.array(sizes) * _independent(tune, largest) / len(tune)
    return Plan(
        tuple(risks), tuple(sizes), np.mean(coverage, axis=0), needed <= least, needed[:, None] <= np.round(worth)
    )


def _coverage(
    half: _Half, risks: Several[float], sizes: Several[int], level: float, seed: list[int]
) -> NDArray[np.float64]:
    """The mean coverage over the draws, `[R, S]`."""
    draws = _DRAWS if half.population.units is None else _DRAWS_OF_UNITS
    found = np.zeros((len(risks), len(sizes)))
    for column, size in enumerate(sizes):
        splits = [half.draw(size, np.random.default_rng([*seed, size, number])) for number in range(draws)]
        for row, risk in enumerate(risks):
            found[row, column] = np.mean(_answered(half, splits, risk, level))
    return found


def _answered(half: _Half, splits: list[Side], risk: float, level: float) -> list[float]:
    """The share of each of the calibration splits that is answered. All are of one size, so one test serves them."""
    which, start = 0, 0
    if half.population.units is not None:
        which, outlook = best_outlook(half.sequence, half.fixed, splits[0], risk, level)
        start = outlook.start
    shares = []
    for split in splits:
        passed = last_passed(half.sequence, start, split.samples[which], split, risk, level)
        shares.append(passed.answered / len(split.samples[which]) if passed else 0.0)
    return shares


def _thinned(sequence: Sequence) -> Sequence:
    """At even steps about 50 of the thresholds, the last of all among them."""
    count = len(sequence.thresholds)
    kept = np.arange(count - 1, -1, -max(1, count // _FEWER))[::-1]
    return Sequence(sequence.thresholds[kept], sequence.answered[kept], sequence.errors[kept], sequence.size)


def _halves(tune: Scored, rng: np.random.Generator) -> tuple[Scored, Scored]:
    """Two halves of the rows, or of the units, drawn."""
    codes = np.arange(len(tune)) if tune.units is None else np.unique(tune.units, return_inverse=True)[1]
    count = int(codes.max(initial=-1)) + 1
    first = (rng.permutation(count) < count // 2)[codes]
    return tune.take(np.flatnonzero(first)), tune.take(np.flatnonzero(~first))


def _drawn_units(
    units: NDArray[np.int64], size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of units drawn with replacement, as many as have `size` rows on average, and a new unit for each draw."""
    order = np.argsort(units, kind="stable")
    _, starts, counts = np.unique(units[order], return_index=True, return_counts=True)
    drawn = rng.integers(0, len(starts), max(1, round(size * len(starts) / len(units))))
    lengths = counts[drawn]
    new = np.repeat(np.arange(len(drawn)), lengths)
    within = np.arange(len(new)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return order[starts[drawn][new] + within], new


def _independent(scored: Scored, largest: int) -> int:
    """How many independent rows the split is worth."""
    return len(scored) if scored.units is None else independent_rows(scored.units, largest)
