"""The exact order statistic, and the sets that come of it."""

import math

import numpy as np
import pytest

from service.classifier import Scores
from service.prediction_sets import members
from training.abstention.conformal import kth_smallest, lac, lac_class_conditional, order_statistic
from training.abstention.scored import Scored


def _scored(probabilities: np.ndarray, labels: np.ndarray) -> Scored:
    p = probabilities.astype(np.float32)
    return Scored(Scores(p, p.max(axis=1), np.zeros(len(p), np.float32)), labels, "by hand", "0" * 64)


def _random(size: int, classes: int = 3) -> Scored:
    rng = np.random.default_rng(size)
    probabilities = rng.dirichlet(np.ones(classes), size)
    labels = (probabilities.cumsum(axis=1) > rng.random((size, 1))).argmax(axis=1)
    return _scored(probabilities, labels)


def test_kth_smallest_is_that_of_the_sorted_scores() -> None:
    scores = np.random.default_rng(0).random(50)
    assert [kth_smallest(scores, k) for k in range(1, 51)] == sorted(scores)
    assert kth_smallest(scores, 51) == math.inf


def test_lac_threshold_is_the_exact_order_statistic() -> None:
    calibration = _random(99)
    sets = lac(calibration, 0.9)
    assert (sets.order_statistics, sets.sizes) == ([90], [99])
    nonconformity = np.sort(1 - calibration.true_class_probability.astype(np.float64))
    assert 1 - sets.thresholds[0] == nonconformity[90 - 1]


def test_sets_cover_their_own_calibration_split_at_the_rank() -> None:
    calibration = _random(200)
    for method in (lac, lac_class_conditional):
        inside = members(calibration.scores.probabilities, method(calibration, 0.9))
        assert inside[np.arange(200), calibration.labels].mean() >= 0.9


def test_too_few_examples_give_sets_of_everything() -> None:
    sets = lac(_random(8), 0.9)  # ceil(9 * 0.9) = 9 > 8
    assert sets.thresholds == [0.0]
    assert members(np.array([[1.0, 0.0, 0.0]], dtype=np.float32), sets).all()


def test_class_that_is_missing_from_calibration_is_in_every_set() -> None:
    calibration = _random(300)
    present = calibration.labels != 1
    without = _scored(calibration.scores.probabilities[present], calibration.labels[present])
    sets = lac_class_conditional(without, 0.9)
    assert sets.sizes[1] == 0
    assert sets.thresholds[1] == 0.0
    assert members(np.array([[0.99, 0.0, 0.01]], dtype=np.float32), sets)[0, 1]


def test_class_conditional_thresholds_are_each_classes_own() -> None:
    calibration = _random(500)
    sets = lac_class_conditional(calibration, 0.9)
    for label in range(3):
        own = np.sort(calibration.true_class_probability[calibration.labels == label])[::-1]
        assert sets.thresholds[label] == float(own[order_statistic(len(own), 0.9) - 1])


@pytest.mark.parametrize(("size", "coverage", "k"), [(10, 0.9, 10), (99, 0.93, 93), (1000, 0.95, 951), (19, 0.95, 19)])
def test_rank_is_exact(size: int, coverage: float, k: int) -> None:
    assert order_statistic(size, coverage) == k
