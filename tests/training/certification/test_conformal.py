"""The exact order statistic, the sets that it gives, and the cuts between the cells of the sets by decision."""

import math

import numpy as np
import pytest

from service.inference.classifier import Scores
from service.inference.prediction_sets import members
from training.certification.conformal import (
    by_decision,
    expected_cuts,
    kth_smallest,
    lac,
    lac_class_conditional,
    order_statistic,
    wide_enough,
)
from training.certification.fixed_sequence import ThresholdSequence, fixed_sequence
from training.certification.scored import Scored
from training.certification.settings import AbstentionSettings


def _scores(*rows: list[float]) -> Scores:
    p = np.array(rows, dtype=np.float32)
    return Scores(p, p.max(axis=1), np.zeros(len(p), np.float32))


def _scored(probabilities: np.ndarray, labels: np.ndarray) -> Scored:
    return Scored(_scores(*probabilities), labels, "by hand", "0" * 64)


def _random(size: int, classes: int = 3) -> Scored:
    rng = np.random.default_rng(size)
    probabilities = rng.dirichlet(np.ones(classes), size)
    labels = (probabilities.cumsum(axis=1) > rng.random((size, 1))).argmax(axis=1)
    return _scored(probabilities, labels)


def test_kth_smallest_agrees_with_sorted_scores() -> None:
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
        inside = members(calibration.scores, method(calibration, 0.9), 0.0)
        assert inside[np.arange(200), calibration.labels].mean() >= 0.9


def test_too_few_examples_give_sets_of_everything() -> None:
    sets = lac(_random(8), 0.9)  # ceil(9 * 0.9) = 9 > 8
    assert sets.thresholds == [0.0]
    assert members(_scores([1.0, 0.0, 0.0]), sets, 0.0).all()


def test_class_that_is_missing_from_calibration_is_in_every_set() -> None:
    calibration = _random(300)
    present = calibration.labels != 1
    without = _scored(calibration.scores.probabilities[present], calibration.labels[present])
    sets = lac_class_conditional(without, 0.9)
    assert sets.sizes[1] == 0
    assert sets.thresholds[1] == 0.0
    assert members(_scores([0.99, 0.0, 0.01]), sets, 0.0)[0, 1]


def test_class_conditional_thresholds_belong_to_each_class() -> None:
    calibration = _random(500)
    sets = lac_class_conditional(calibration, 0.9)
    for label in range(3):
        own = np.sort(calibration.true_class_probability[calibration.labels == label])[::-1]
        assert sets.thresholds[label] == float(own[order_statistic(len(own), 0.9) - 1])


@pytest.mark.parametrize(("size", "coverage", "k"), [(10, 0.9, 10), (99, 0.93, 93), (1000, 0.95, 951), (19, 0.95, 19)])
def test_rank_is_exact(size: int, coverage: float, k: int) -> None:
    assert order_statistic(size, coverage) == k


def test_threshold_of_a_cell_is_the_order_statistic_of_its_examples() -> None:
    calibration = _random(500)
    calibration.scores.ood_score[::10] = 2.0  # rejected by the gate
    sets = by_decision(calibration, 0.9, [0.5, 0.7], largest_ood_score=1.0)
    confidence, outside = calibration.scores.confidence, calibration.scores.ood_score > 1
    inside = [outside | (confidence < 0.5), (confidence >= 0.5) & (confidence < 0.7), confidence >= 0.7]
    assert sets.cuts == [0.5, 0.7]
    for cell, mask in enumerate([inside[0], *(mask & ~outside for mask in inside[1:])]):
        own = np.sort(calibration.true_class_probability[mask])[::-1]
        assert (sets.sizes[cell], sets.order_statistics[cell]) == (len(own), order_statistic(len(own), 0.9))
        assert sets.thresholds[cell] == own[sets.order_statistics[cell] - 1]
    assert sum(sets.sizes) == 500


def test_empty_cell_gives_sets_of_every_class() -> None:
    sets = by_decision(_random(200), 0.9, [0.5, 1.0], largest_ood_score=1.0)
    assert (sets.sizes[2], sets.thresholds[2]) == (0, 0.0)


def test_larger_groups_take_a_higher_rank() -> None:
    calibration = _random(990)
    everything = [
        lac(calibration, 0.9, largest_group=10),
        by_decision(calibration, 0.9, [0.6], largest_ood_score=1.0, largest_group=10),
        lac_class_conditional(calibration, 0.9, largest_group=10),
    ]
    for sets in everything:
        assert sets.order_statistics == [order_statistic(size, 0.9, 10) for size in sets.sizes]
    assert everything[0].order_statistics == [900]
    assert lac(calibration, 0.9).order_statistics == [892]


def test_group_as_large_as_the_split_has_no_threshold() -> None:
    assert lac(_random(90), 0.9, largest_group=20).thresholds == [0.0]


# The cuts between the cells of the sets by decision.
SIZE = 4000
CONFIDENCE = (np.arange(1, SIZE + 1) / SIZE).astype(np.float32)
SCORES = Scores(CONFIDENCE[:, None], CONFIDENCE, np.zeros(SIZE, dtype=np.float32))
# By falling confidence: right at first, then one error in five.
WRONG = (CONFIDENCE < 0.5) & (np.arange(SIZE) % 5 == 0)
ALL = np.ones(SIZE, dtype=bool)


def _cuts(calibration_size: int, **values: tuple[float, ...] | float) -> list[float]:
    settings = AbstentionSettings(**values)  # type: ignore[arg-type]
    return _cuts_of(ThresholdSequence.from_tune(CONFIDENCE, WRONG, ALL), calibration_size, settings)


def _cuts_of(sequence: ThresholdSequence, size: int, settings: AbstentionSettings) -> list[float]:
    expected = {r: sequence.expected_threshold(size, r, settings.confidence_level) for r in settings.selective_risk}
    return expected_cuts(expected, settings.default_risk)


def test_cut_equals_the_threshold_that_a_split_like_tune_certifies() -> None:
    """The split has as many examples with the same scores, so the test itself gives this threshold."""
    risks = (0.01, 0.02, 0.05)
    sequence = ThresholdSequence.from_tune(CONFIDENCE, WRONG, ALL)
    passed = [fixed_sequence(sequence, CONFIDENCE, WRONG, ALL, risk, 0.95) for risk in risks]
    assert _cuts(SIZE, selective_risk=risks, default_risk=0.01) == [one.threshold for one in passed if one]


def test_smaller_calibration_split_is_expected_to_certify_less() -> None:
    (few,), (many,) = (_cuts(size, selective_risk=(0.05,), default_risk=0.05) for size in (400, 40_000))
    assert few > many


def test_cut_of_the_default_risk_is_the_first() -> None:
    strict_first = _cuts(SIZE, selective_risk=(0.02, 0.1, 0.05), default_risk=0.02)
    assert strict_first == sorted(strict_first, reverse=True)
    default_copies = _cuts(SIZE, selective_risk=(0.02, 0.1, 0.05), default_risk=0.05)
    assert default_copies == [strict_first[1], strict_first[0], strict_first[2]]


def test_risk_that_tune_cannot_certify_has_no_cut() -> None:
    everything_wrong = ThresholdSequence.from_tune(CONFIDENCE, ALL, ALL)
    assert _cuts_of(everything_wrong, SIZE, AbstentionSettings()) == []


def test_equal_thresholds_are_one_cut() -> None:
    everything_right = ThresholdSequence.from_tune(CONFIDENCE, ~ALL, ALL)
    assert _cuts_of(everything_right, SIZE, AbstentionSettings()) == [float(CONFIDENCE[0])]


def test_cuts_with_too_few_examples_are_merged_into_the_default() -> None:
    """Of 1,000 calibration examples a cell needs 100 at 0.90 and 500 at 0.98, by the shares of tune."""
    assert wide_enough([0.5, 0.95, 0.85], SCORES, 1.0, 1000, 0.9) == [0.5, 0.85]
    assert wide_enough([0.5, 0.45, 0.85], SCORES, 1.0, 1000, 0.9) == [0.5, 0.85]
    assert wide_enough([0.45, 0.5, 0.85], SCORES, 1.0, 1000, 0.9) == [0.45, 0.85]
    assert wide_enough([0.5], SCORES, 1.0, 1000, 0.98) == []  # 0.5 itself counts as above: 499.75 are below
    assert wide_enough([0.5], SCORES, 1.0, 1001, 0.98) == [0.5]


def test_inputs_outside_the_gate_are_in_the_lowest_cell() -> None:
    far = Scores(SCORES.probabilities, CONFIDENCE, np.where(CONFIDENCE > 0.75, 2, 0).astype(np.float32))
    assert wide_enough([0.5, 0.75], far, 1.0, 1000, 0.9) == [0.5]  # above 0.75 nothing is left
    assert wide_enough([0.05], far, 1.0, 1000, 0.9) == [0.05]  # 50 below, and 250 rejected by the gate
