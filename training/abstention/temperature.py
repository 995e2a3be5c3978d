"""Probabilities that mean what they say: one temperature, fitted on the tune split."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from training.softmax import cross_entropy

_LARGEST = 100.0


def fit_temperature(logits: torch.Tensor, labels: NDArray[np.int64]) -> float:
    """The T > 0 that makes the mean cross-entropy of softmax(logits / T) least (Guo et al. 2017, arXiv 1706.04599).

    `logits` float64 `[N, C]`, `labels` int64 `[N]`, of examples that are neither trained nor calibrated on. The loss
    is convex in 1 / T, so it has one minimum. It is looked for between 1/100 and 100: of labels that a model always
    gets right, T = 0 would be best.

    >>> logits = torch.tensor([[2.0, 0.0]] * 4, dtype=torch.float64)
    >>> t = fit_temperature(logits, np.array([0, 0, 0, 1]))  # right in three cases of four
    >>> round(float(torch.softmax(logits / t, dim=1)[0, 0]), 4)
    0.75
    """
    truth = torch.from_numpy(labels)
    found = minimize_scalar(
        lambda inverse: cross_entropy(logits * inverse, truth).item(),
        bounds=(1 / _LARGEST, _LARGEST),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return 1 / float(found.x)
