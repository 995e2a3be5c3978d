"""Metrics against values worked out by hand."""

import numpy as np
import pytest

from training.reporting.evaluation.metrics import accuracy, brier

PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [1.0, 0.0, 0.0]], dtype=np.float32)


def test_accuracy_counts_the_most_probable_class() -> None:
    assert accuracy(PROBABILITIES, np.array([0, 1, 0])) == pytest.approx(2 / 3)


def test_brier_is_the_squared_distance_to_the_one_hot_label() -> None:
    labels = np.array([0, 1, 1])
    by_hand = (0.5**2 + 0.25**2 + 0.25**2 + 0.1**2 + 0.9**2 + 0.8**2 + 1 + 1) / 3
    assert brier(PROBABILITIES, labels) == pytest.approx(by_hand)


def test_brier_of_very_many_classes_needs_no_matrix_of_them() -> None:
    """One-hot labels of 100,000 classes would take 80 GB."""
    probabilities = np.full((2, 100_000), 1e-5, dtype=np.float32)
    assert brier(probabilities, np.array([0, 99_999])) == pytest.approx(1 - 2e-5 + 1e-5)
    assert brier(PROBABILITIES, np.array([0, 2, 1])) == pytest.approx((0.375 + 0.06 + 2) / 3)
