"""Split conformal prediction: exact ranks, and the coverage that the theory predicts."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta, kstest

from benchmarks.population import CALIBRATION_SIZE, Population, resamples
from service.inference.classifier import Scores
from service.inference.prediction_sets import members
from tests.guarantees.limits import REPEATS, RESAMPLING_SEED
from training.certification.conformal import kth_smallest, lac, lac_class_conditional, order_statistic
from training.certification.scored import Scored

pytestmark = pytest.mark.guarantee

SIZES = range(10, 1_001)
# In hundredths, so that the expected rank is computed in integers. Doubles get 0.55, 0.56 and 0.68 wrong, see below.
HUNDREDTHS = (50, 55, 56, 68, 70, 90, 93, 95, 99)


def _rank(size: int, hundredths: int) -> int:
    """ceil((size + 1) * hundredths / 100) in integers."""
    return ((size + 1) * hundredths + 99) // 100


@pytest.mark.parametrize("hundredths", HUNDREDTHS)
def test_rank_is_exact_for_every_size(hundredths: int) -> None:
    ranks = [order_statistic(size, hundredths / 100) for size in SIZES]
    assert ranks == [_rank(size, hundredths) for size in SIZES]


@pytest.mark.parametrize("hundredths", [55, 56, 68])
def test_rank_in_floating_point_is_not_exact(hundredths: int) -> None:
    assert any(math.ceil((size + 1) * (hundredths / 100)) != _rank(size, hundredths) for size in SIZES)


def test_rank_by_the_common_numpy_snippet_is_nearly_always_one_too_high() -> None:
    possible = [size for size in SIZES if math.ceil((size + 1) * 0.9) <= size]
    ranks = [
        np.quantile(np.arange(1.0, size + 1), math.ceil((size + 1) * 0.9) / size, method="higher") for size in possible
    ]
    too_high = [rank == _rank(size, 90) + 1 for size, rank in zip(possible, ranks, strict=True)]
    assert sum(too_high) > 0.95 * len(possible)


def test_kth_smallest_agrees_with_sorting() -> None:
    scores = np.random.default_rng(0).permutation(np.repeat(np.arange(50.0), 2))  # ties
    assert [kth_smallest(scores, k) for k in range(1, 101)] == sorted(scores.tolist())
    assert kth_smallest(scores, 101) == math.inf


@pytest.mark.parametrize("size", [95, 99, 1_000])
@pytest.mark.parametrize("promised", [0.9, 0.95])
def test_coverage_of_continuous_scores_has_its_theoretical_distribution(size: int, promised: float) -> None:
    """Given the calibration split it is Beta(n + 1 - l, l), l = floor((n + 1) alpha) (Vovk 2012)."""
    coverages = 1 - _uniform_thresholds(size, promised, repeats=4_000)  # a threshold t covers the share 1 - t
    failures = size + 1 - _rank(size, round(100 * promised))
    theory = beta(size + 1 - failures, failures)
    assert kstest(coverages, theory.cdf).pvalue > 0.001
    assert (
        kstest(coverages, beta(size + 2 - failures, failures - 1).cdf).pvalue < 0.001
    )  # a higher rank would be detected
    assert promised - 0.002 <= coverages.mean() <= promised + 1 / (size + 1) + 0.002


def _uniform_thresholds(size: int, promised: float, repeats: int) -> NDArray[np.float64]:
    """The thresholds of calibration splits in which the probability of the true class is uniform on (0, 1)."""
    thresholds = []
    for repeat in range(repeats):
        probability = np.random.default_rng([5, repeat]).random(size, dtype=np.float32)
        scores = Scores(np.stack([probability, 1 - probability], axis=1), probability, probability)
        calibration = Scored(scores, np.zeros(size, dtype=np.int64), "uniform", "0" * 64)
        thresholds.append(lac(calibration, promised).thresholds[0])
    return np.array(thresholds)


@pytest.mark.parametrize("promised", [0.9, 0.95, 0.99])
def test_sets_of_the_test_images_hold_the_true_class_as_often_as_promised(pool: Population, promised: float) -> None:
    truth = pool.scored.true_class_probability.astype(np.float64)
    by_threshold, by_set = [], []
    for split in resamples(pool, REPEATS, RESAMPLING_SEED):
        sets = lac(split.scored, promised)
        by_threshold.append((truth >= sets.thresholds[0]).mean())
        by_set.append(_held(pool, members(pool.scored.scores, sets, math.inf)).mean())
    assert promised - 0.002 <= np.mean(by_threshold) <= promised + 1 / (CALIBRATION_SIZE + 1) + 0.002
    assert np.mean(by_set) >= np.mean(by_threshold)  # the likeliest class is always in the set


@pytest.mark.parametrize("promised", [0.9, 0.95])
def test_class_conditional_sets_keep_the_promise_for_every_class(pool: Population, promised: float) -> None:
    truth, labels = pool.scored.true_class_probability.astype(np.float64), pool.scored.labels
    classes = np.arange(pool.scored.scores.probabilities.shape[1])
    coverages, spare = [], []
    for split in resamples(pool, REPEATS, RESAMPLING_SEED):
        sets = lac_class_conditional(split.scored, promised)
        held = truth >= np.array(sets.thresholds)[labels]
        coverages.append([held[labels == c].mean() for c in classes])
        spare.append([1 / (size + 1) for size in sets.sizes])
    by_class = np.mean(coverages, axis=0)
    assert (by_class >= promised - 0.002).all()
    assert (by_class <= promised + np.mean(spare, axis=0) + 0.002).all()


def _held(pool: Population, sets: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return sets[np.arange(len(pool)), pool.scored.labels]
