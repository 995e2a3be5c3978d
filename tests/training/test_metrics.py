"""Metrics against values worked out by hand."""

import numpy as np
import pytest

from training.metrics import accuracy

PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [1.0, 0.0, 0.0]], dtype=np.float32)


def test_accuracy_counts_the_most_probable_class() -> None:
    assert accuracy(PROBABILITIES, np.array([0, 1, 0])) == pytest.approx(2 / 3)
