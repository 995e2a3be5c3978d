"""How good probabilities are. Pure numpy: probabilities float32 `[N, C]`, labels int64 `[N]`."""

import numpy as np
from numpy.typing import NDArray


def accuracy(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The share of examples whose most probable class is the true one.

    >>> accuracy(np.array([[0.9, 0.1], [0.6, 0.4]], np.float32), np.array([0, 1]))
    0.5
    """
    return float((probabilities.argmax(axis=1) == labels).mean())


def nll(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Mean negative log-probability of the true label, natural logarithm; infinite where one is 0.

    >>> nll(np.array([[0.5, 0.5]], np.float32), np.array([1]))  # log 2
    0.6931471805599453
    """
    true_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    with np.errstate(divide="ignore"):
        return float(-np.log(true_label).mean())
