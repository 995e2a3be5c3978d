"""How good probabilities are. Pure numpy: probabilities float32 `[N, C]`, labels int64 `[N]`."""

import numpy as np
from numpy.typing import NDArray


def accuracy(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The share of examples whose most probable class is the true one.

    >>> accuracy(np.array([[0.9, 0.1], [0.6, 0.4]], np.float32), np.array([0, 1]))
    0.5
    """
    return float((probabilities.argmax(axis=1) == labels).mean())
