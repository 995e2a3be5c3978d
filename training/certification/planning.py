"""How much a model would answer with other numbers of calibration examples, estimated on the tune split alone.

The calibration split must not be looked at before its targets are chosen. So the tune split is taken as the population:
a tune split and a calibration split are drawn from it with replacement, many times, and each pair is certified by the
code that certifies a published model (the bootstrap of Efron 1979). A drawn tune split is as large as the real one,
and grows with a calibration split that is larger than the present one.

Why not fix the thresholds on one half of tune and draw from the other: an error among the surest examples of one half
ends the sequence that the other half started there, and it does so in every draw. On 500 pictures of Fashion-MNIST,
for 10,000 calibration examples and a risk of 10 %, halves foresee a coverage of 0.61 and this bootstrap 0.85, which is
the truth. The standard deviation of its estimate is 10 to 20 points on 200 tune examples, and 3 to 8 on 1,000.

A few examples that happen to have no error would promise any risk. So the split says nothing of a risk that takes more
than half of it to be certified (`Plan.known`).

Rows in groups are drawn as whole groups, n rows on average. Tests of groups take long, so fewer splits are drawn and
about 50 of the thresholds are tested. That costs a per cent or two of coverage.
"""

from collections.abc import Sequence as Several
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.inference.classifier import Scores
from training.certification.fixed_sequence import Sequence, last_passed, least_examples
from training.certification.gate import limit
from training.certification.samples import Side, independent_rows
from training.certification.scored import Scored
from training.certification.selective_risk import choose
from training.certification.settings import AbstentionSettings
from training.data.drawing import CAP

SIZES = (200, 500, 1_000, 2_000, 5_000, 10_000)
LEAST = 100  # independent rows of tune

_TUNES, _TUNES_OF_GROUPS = 20, 8  # drawn for each n
_DRAWS, _DRAWS_OF_GROUPS = 10, 5  # calibration splits for each of those
_FEWER = 50  # thresholds, for groups
_ENOUGH = 0.95  # of the most coverage


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


def plan(
    tune: Scored,
    settings: AbstentionSettings,
    sizes: Several[int],
    now: int,
    largest: int = 1,
    seed: int = 0,
) -> Plan | None:
    """What to expect of calibration splits of `sizes` rows, where there are `now`.

    None where tune has under 100 independent rows. `largest` as in `samples`: the most rows of a group of train. The
    same seed gives the same plan.
    """
    independent = len(tune) if tune.groups is None else independent_rows(tune.groups, largest)
    if independent < LEAST:
        return None
    risks, sizes, level = sorted(settings.selective_risk), sorted(set(sizes)), settings.risk_level
    bootstrap = _Bootstrap(_narrow(tune), settings, largest)
    coverage = np.zeros((len(risks), len(sizes)))
    for column, size in enumerate(sizes):
        rng = np.random.default_rng([seed, 4, size])
        grown = max(len(tune), min(CAP, round(len(tune) * size / now)))
        coverage[:, column] = bootstrap.coverage(size, grown, risks, rng)
    needed = np.array([least_examples(risk, level) for risk in risks])
    worth = np.round(np.array(sizes) * independent / len(tune))
    return Plan(tuple(risks), tuple(sizes), coverage, 2 * needed <= independent, needed[:, None] <= worth)


@dataclass(frozen=True, slots=True)
class _Bootstrap:
    """What is drawn from, and what is asked of it."""

    population: Scored
    settings: AbstentionSettings
    largest: int

    def coverage(self, size: int, tune: int, risks: Several[float], rng: np.random.Generator) -> NDArray[np.float64]:
        """The mean coverage with `size` rows of calibration and `tune` rows of tune, `[R]`."""
        grouped = self.population.groups is not None
        found = [
            self._once(size, tune, risks, _DRAWS_OF_GROUPS if grouped else _DRAWS, rng)
            for _ in range(_TUNES_OF_GROUPS if grouped else _TUNES)
        ]
        return np.asarray(np.mean(found, axis=0))

    def _once(
        self, size: int, tune: int, risks: Several[float], draws: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """The mean coverage over `draws` calibration splits, with one tune split, `[R]`."""
        fixing, settings = _drawn(self.population, tune, rng), self.settings
        largest_score = limit(fixing, settings.false_alarm_rate, settings.confidence_level, self.largest).threshold
        fixed = self._side(fixing, largest_score)
        sequence = Sequence.on(fixing.scores.confidence, fixing.wrong, fixed.inside)
        if fixing.groups is not None:
            sequence = _thinned(sequence)
        splits = [self._side(_drawn(self.population, size, rng), largest_score) for _ in range(draws)]
        return np.array([np.mean(_answered(sequence, fixed, splits, risk, settings.risk_level)) for risk in risks])

    def _side(self, scored: Scored, largest_score: float) -> Side:
        return Side.of_split(scored, scored.scores.ood_score.astype(np.float64) <= largest_score, self.largest)


def _narrow(scored: Scored) -> Scored:
    """The same with two classes, right and wrong: draws of it take less memory than draws of C probabilities."""
    right = np.tile(np.array([1, 0], dtype=np.float32), (len(scored), 1))
    scores = Scores(right, scored.scores.confidence, scored.scores.ood_score)
    return replace(scored, scores=scores, labels=scored.wrong.astype(np.int64))


def _answered(sequence: Sequence, fixed: Side, splits: list[Side], risk: float, level: float) -> list[float]:
    """The share of each calibration split that is answered. All are of one size, so one choice of a test serves all."""
    choice = choose(sequence, fixed, splits[0], risk, level)
    shares = []
    for split in splits:
        passed = last_passed(sequence, choice.start, split.samples[choice.which], split, risk, level)
        shares.append(passed.answered / len(split.samples[choice.which]) if passed else 0.0)
    return shares


def _thinned(sequence: Sequence) -> Sequence:
    """At even steps about 50 of the thresholds, the last of all among them."""
    count = len(sequence.thresholds)
    kept = np.arange(count - 1, -1, -max(1, count // _FEWER))[::-1]
    return Sequence(sequence.thresholds[kept], sequence.answered[kept], sequence.errors[kept], sequence.size)


def _drawn(population: Scored, size: int, rng: np.random.Generator) -> Scored:
    """`size` rows drawn with replacement; where rows come in groups, whole groups with `size` rows on average."""
    if population.groups is None:
        return population.take(rng.integers(0, len(population), size))
    order = np.argsort(population.groups, kind="stable")
    _, starts, counts = np.unique(population.groups[order], return_index=True, return_counts=True)
    drawn = rng.integers(0, len(starts), max(1, round(size * len(starts) / len(population))))
    lengths = counts[drawn]
    new = np.repeat(np.arange(len(drawn)), lengths)
    within = np.arange(len(new)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return replace(population.take(order[starts[drawn][new] + within]), groups=new)
