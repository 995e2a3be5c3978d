"""Metrics against values worked out by hand."""

import math

import numpy as np
import pytest

from training.metrics import accuracy, nll

PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [1.0, 0.0, 0.0]], dtype=np.float32)


def test_accuracy_counts_the_most_probable_class() -> None:
    assert accuracy(PROBABILITIES, np.array([0, 1, 0])) == pytest.approx(2 / 3)


def test_nll_is_the_mean_over_the_true_labels() -> None:
    assert nll(PROBABILITIES, np.array([1, 2, 0])) == pytest.approx((math.log(4) - math.log(0.8)) / 3, rel=1e-6)


def test_nll_of_an_impossible_label_is_infinite() -> None:
    assert nll(PROBABILITIES, np.array([0, 0, 1])) == math.inf
