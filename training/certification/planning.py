"""Forecast of the coverage for other numbers of calibration examples, estimated on the tune split alone.

The calibration split must not be looked at before the targets are chosen. So the tune split serves as the population: a
tune split and a calibration split are drawn from it with replacement, many times, and each pair is certified by the
code that certifies a published model (the bootstrap; Efron 1979). A drawn tune split is as large as the real one, and
grows in proportion if the calibration split is larger than the present one.

Why not fix the thresholds on one half of tune and draw from the other half? An error among the most confident examples
of one half ends the sequence that starts there, in every draw. On 500 pictures of Fashion-MNIST, for 10,000 calibration
examples and a risk of 10 %, halves forecast a coverage of 0.61 and this bootstrap 0.85, which is the truth. The
standard deviation of the estimate is 10 to 20 points on 200 tune examples, and 3 to 8 on 1,000.

A few examples that happen to have no error would promise any risk. So there is no estimate for a risk that takes more
than half of the tune split to certify (`Plan.estimable`).

Rows in groups are drawn as whole groups, n rows on average. Tests of groups take long, so fewer splits are drawn and
about 50 of the thresholds are tested. That costs one or two per cent of coverage.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.inference.classifier import Scores
from training.certification.fixed_sequence import ThresholdSequence, last_passed, least_examples
from training.certification.gate import gate_threshold
from training.certification.samples import GatedSplit, independent_rows
from training.certification.scored import Scored
from training.certification.selective_risk import choose
from training.certification.settings import AbstentionSettings
from training.data.split_rule import MAX_SPLIT_SIZE

SIZES = (200, 500, 1_000, 2_000, 5_000, 10_000)
MIN_TUNE_ROWS = 100  # independent rows of tune

_TUNES, _TUNES_OF_GROUPS = 20, 8  # tune splits drawn for each n
_DRAWS, _DRAWS_OF_GROUPS = 10, 5  # calibration splits drawn for each of them
_MAX_GROUP_THRESHOLDS = 50
_ENOUGH = 0.95  # of the highest coverage


@dataclass(frozen=True, slots=True)
class Plan:
    """The mean coverage for each risk and each number of rows n; 0 where nothing is certified."""

    risks: tuple[float, ...]  # [R], rising
    sizes: tuple[int, ...]  # [S], rising, in rows
    coverage: NDArray[np.float64]  # [R, S]
    estimable: NDArray[np.bool_]  # [R], whether tune is large enough for the risk
    possible: NDArray[np.bool_]  # [R, S], whether n rows can certify the risk at all

    def recommended(self, risk: float) -> int | None:
        """The fewest rows with 95 % of the highest coverage in the table; None if there is no coverage or estimate."""
        row = self.risks.index(risk)
        coverage = self.coverage[row]
        if not self.estimable[row] or coverage.max() == 0:
            return None
        return self.sizes[int(np.flatnonzero(coverage >= _ENOUGH * coverage.max())[0])]


def plan(
    tune: Scored,
    settings: AbstentionSettings,
    sizes: Sequence[int],
    current_size: int,
    largest_group: int = 1,
    seed: int = 0,
) -> Plan | None:
    """Forecast calibration splits of `sizes` rows; the present one has `current_size`.

    None if tune has fewer than 100 independent rows. `largest_group` as in `samples`. The same seed gives the same
    plan.
    """
    independent = len(tune) if tune.groups is None else independent_rows(tune.groups, largest_group)
    if independent < MIN_TUNE_ROWS:
        return None
    risks, sizes, level = sorted(settings.selective_risk), sorted(set(sizes)), settings.risk_level
    bootstrap = _Bootstrap(_two_classes(tune), settings, largest_group)
    coverage = np.zeros((len(risks), len(sizes)))
    for column, size in enumerate(sizes):
        rng = np.random.default_rng([seed, 4, size])
        tune_size = max(len(tune), min(MAX_SPLIT_SIZE, round(len(tune) * size / current_size)))
        coverage[:, column] = bootstrap.coverage(size, tune_size, risks, rng)
    needed = np.array([least_examples(risk, level) for risk in risks])
    worth = np.round(np.array(sizes) * independent / len(tune))
    return Plan(tuple(risks), tuple(sizes), coverage, 2 * needed <= independent, needed[:, None] <= worth)


@dataclass(frozen=True, slots=True)
class _Bootstrap:
    """The population to draw from, and the settings to certify with."""

    population: Scored
    settings: AbstentionSettings
    largest_group: int

    def coverage(
        self, size: int, tune_size: int, risks: Sequence[float], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """The mean coverage with `size` rows of calibration and `tune_size` rows of tune, `[R]`."""
        grouped = self.population.groups is not None
        coverages = [
            self._once(size, tune_size, risks, _DRAWS_OF_GROUPS if grouped else _DRAWS, rng)
            for _ in range(_TUNES_OF_GROUPS if grouped else _TUNES)
        ]
        return np.asarray(np.mean(coverages, axis=0))

    def _once(
        self, size: int, tune_size: int, risks: Sequence[float], draws: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """The mean coverage over `draws` calibration splits, with one tune split, `[R]`."""
        tune, settings = _drawn(self.population, tune_size, rng), self.settings
        gate = gate_threshold(tune, settings.false_alarm_rate, settings.confidence_level, self.largest_group).threshold
        tune_split = self._gated(tune, gate)
        sequence = ThresholdSequence.from_tune(tune.scores.confidence, tune.wrong, tune_split.inside)
        if tune.groups is not None:
            sequence = _thinned(sequence)
        splits = [self._gated(_drawn(self.population, size, rng), gate) for _ in range(draws)]
        return np.array(
            [np.mean(_coverages(sequence, tune_split, splits, risk, settings.risk_level)) for risk in risks]
        )

    def _gated(self, scored: Scored, gate: float) -> GatedSplit:
        return GatedSplit.of_split(scored, scored.scores.ood_score.astype(np.float64) <= gate, self.largest_group)


def _two_classes(scored: Scored) -> Scored:
    """Reduce the classes to right and wrong: draws then take less memory than with C probabilities."""
    right = np.tile(np.array([1, 0], dtype=np.float32), (len(scored), 1))
    scores = Scores(right, scored.scores.confidence, scored.scores.ood_score)
    return replace(scored, scores=scores, labels=scored.wrong.astype(np.int64))


def _coverages(
    sequence: ThresholdSequence, tune: GatedSplit, splits: list[GatedSplit], risk: float, level: float
) -> list[float]:
    """The share answered of each calibration split. All have one size, so the test is chosen once."""
    choice = choose(sequence, tune, splits[0], risk, level)
    shares = []
    for split in splits:
        sample = split.samples[choice.sample]
        passed = last_passed(sequence, choice.start, sample, split, risk, level)
        shares.append(passed.answered / len(sample) if passed else 0.0)
    return shares


def _thinned(sequence: ThresholdSequence) -> ThresholdSequence:
    """About 50 of the thresholds, at even steps, the last one included."""
    count = len(sequence.thresholds)
    kept = np.arange(count - 1, -1, -max(1, count // _MAX_GROUP_THRESHOLDS))[::-1]
    return ThresholdSequence(sequence.thresholds[kept], sequence.answered[kept], sequence.errors[kept], sequence.size)


def _drawn(population: Scored, size: int, rng: np.random.Generator) -> Scored:
    """`size` rows drawn with replacement; where rows come in groups, whole groups with `size` rows on average.

    A group that is drawn twice is two groups.
    """
    if population.groups is None:
        return population.take(rng.integers(0, len(population), size))
    order = np.argsort(population.groups, kind="stable")
    _, starts, counts = np.unique(population.groups[order], return_index=True, return_counts=True)
    drawn = rng.integers(0, len(starts), max(1, round(size * len(starts) / len(population))))
    lengths = counts[drawn]
    new_groups = np.repeat(np.arange(len(drawn)), lengths)
    within = np.arange(len(new_groups)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return replace(population.take(order[starts[drawn][new_groups] + within]), groups=new_groups)
