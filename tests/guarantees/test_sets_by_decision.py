"""Prediction sets keep their promise for inputs that the model abstains from, and for rows in groups."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.population import CALIBRATION_SIZE, HeldOut, Population, resamples
from service.contract.certificates import PredictionSets
from service.inference.classifier import Scores
from service.inference.prediction_sets import cells, members
from tests.guarantees.limits import REPEATS, RESAMPLING_SEED
from training.certification.conformal import by_decision, expected_cuts, lac, wide_enough
from training.certification.scored import Scored
from training.certification.settings import AbstentionSettings

pytestmark = pytest.mark.guarantee

PROMISED = 0.9
DEFAULT_RISK = AbstentionSettings().default_risk


@pytest.fixture(scope="module")
def cuts(held_out: HeldOut, tune: Population) -> list[float]:
    """The cuts that a fit would fix."""
    settings, sequence = AbstentionSettings(), tune.sequence()
    expected = {r: sequence.expected_threshold(CALIBRATION_SIZE, r, 0.95) for r in settings.selective_risk}
    return wide_enough(
        expected_cuts(expected, DEFAULT_RISK), tune.scored.scores, held_out.gate, CALIBRATION_SIZE, PROMISED
    )


def _abstained(
    held_out: HeldOut, pool: Population, tune: Population, make_sets: Callable[[Scored], PredictionSets]
) -> tuple[float, float]:
    """Mean coverage and size of the sets of inputs that the default policy abstains from, over calibration splits.

    The threshold and the sets come from the same split.
    """
    scores, sequence, everyone = pool.scored.scores, tune.sequence(), np.arange(len(pool))
    results = []
    for split in resamples(pool, REPEATS, RESAMPLING_SEED):
        threshold = split.threshold(sequence, DEFAULT_RISK)
        assert threshold is not None
        abstained = ~(pool.eligible & (scores.confidence.astype(np.float64) >= threshold))
        inside = members(scores, make_sets(split.scored), held_out.gate)
        held = inside[everyone, pool.scored.labels]
        results.append((held[abstained].mean(), inside[abstained].sum(axis=1).mean()))
    coverage, size = np.mean(results, axis=0).tolist()
    return coverage, size


def test_sets_by_decision_cover_each_cell(held_out: HeldOut, pool: Population, cuts: list[float]) -> None:
    truth, cell = pool.scored.true_class_probability.astype(np.float64), cells(pool.scored.scores, cuts, held_out.gate)
    assert len(cuts) >= 2
    covered, spare = [], []
    for split in resamples(pool, REPEATS, RESAMPLING_SEED):
        sets = by_decision(split.scored, PROMISED, cuts, held_out.gate)
        held = truth >= np.array(sets.thresholds)[cell]
        covered.append(np.bincount(cell, held) / np.bincount(cell))
        spare.append([1 / (size + 1) for size in sets.sizes])
    by_cell = np.mean(covered, axis=0)
    assert (by_cell >= PROMISED - 0.002).all()
    assert (by_cell <= PROMISED + np.mean(spare, axis=0) + 0.002).all()


def test_sets_by_decision_cover_abstentions(
    held_out: HeldOut, pool: Population, tune: Population, cuts: list[float]
) -> None:
    coverage, size = _abstained(held_out, pool, tune, lambda split: by_decision(split, PROMISED, cuts, held_out.gate))
    assert PROMISED - 0.01 <= coverage <= PROMISED + 0.02
    assert size < 3


def test_one_threshold_for_all_does_not_cover_abstentions(
    held_out: HeldOut, pool: Population, tune: Population
) -> None:
    """It covers too many answers, where nearly every set holds the true class, at the expense of abstentions."""
    coverage, size = _abstained(held_out, pool, tune, lambda split: lac(split, PROMISED))
    assert coverage < 0.8
    assert size < 2


GROUP_SIZE = 10  # rows
GROUPS = 15


def _coverages(largest_group: int) -> NDArray[np.float64]:
    """Coverage of rows by thresholds whose calibration rows come in groups of copies, of uniform probability.

    A threshold t covers a new group, and so its rows, with probability 1 - t.
    """
    thresholds = []
    for repeat in range(4_000):
        group = np.random.default_rng([6, repeat]).random(GROUPS, dtype=np.float32)
        probability = np.repeat(group, GROUP_SIZE)
        scores = Scores(np.stack([probability, 1 - probability], axis=1), probability, probability)
        calibration = Scored(scores, np.zeros(len(probability), dtype=np.int64), "uniform", "0" * 64)
        thresholds.append(lac(calibration, PROMISED, largest_group).thresholds[0])
    return 1 - np.array(thresholds)


def test_rank_for_groups_covers_rows_that_depend_on_one_another() -> None:
    coverage = _coverages(largest_group=GROUP_SIZE).mean()
    assert PROMISED - 0.002 <= coverage <= PROMISED + (1 + GROUP_SIZE) / (GROUP_SIZE * (GROUPS + 1)) + 0.002


def test_rank_for_independent_rows_covers_groups_too_rarely() -> None:
    """ceil(151 * 0.9) = 136 of 150 rows are the 14th of 15 groups: they cover 14 / 16."""
    assert _coverages(largest_group=1).mean() == pytest.approx(14 / 16, abs=0.005)
