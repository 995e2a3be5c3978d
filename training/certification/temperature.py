"""Temperature scaling: one temperature, fitted on the tune split, that calibrates the probabilities."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch.nn.functional import cross_entropy

from training.fitting.auto.trials import significantly_better
from training.fitting.softmax import log_softmax

MAX_TEMPERATURE = 100.0  # temperature


def fit_temperature(logits: torch.Tensor, labels: NDArray[np.int64]) -> float:
    """The T > 0 that minimises the mean cross-entropy of softmax(logits / T) (Guo et al. 2017, arXiv 1706.04599).

    `logits` float64 `[N, C]`, `labels` int64 `[N]`, of examples that are used neither for training nor for calibration.
    The targets are smoothed: 1 / (N + 1) is taken from the label and shared by the other classes, as if one more
    example had been wrong. Otherwise a few labels that all happen to be right would give T = 0 and unlimited
    confidence (Platt 1999, "Probabilistic outputs for support vector machines", does the same). The loss is convex in
    1 / T, so it has one minimum.

    >>> logits = torch.tensor([[2.0, 0.0]] * 400, dtype=torch.float64)
    >>> t = fit_temperature(logits, np.repeat([0, 1], [300, 100]))  # right in three cases of four
    >>> round(float(torch.softmax(logits / t, dim=1)[0, 0]), 2)
    0.75
    """
    truth, smoothing = torch.from_numpy(labels), 1 / (len(labels) + 1)

    def loss(inverse: float) -> float:
        logs = log_softmax(logits * inverse)
        of_truth = logs.gather(1, truth[:, None])[:, 0]
        of_others = (logs.sum(dim=1) - of_truth) / (logs.shape[1] - 1)
        return -((1 - smoothing) * of_truth + smoothing * of_others).mean().item()

    result = minimize_scalar(
        loss, bounds=(1 / MAX_TEMPERATURE, MAX_TEMPERATURE), method="bounded", options={"xatol": 1e-9}
    )
    return 1 / float(result.x)


def pays(temperature: float, logits: torch.Tensor, labels: NDArray[np.int64]) -> bool:
    """Whether the temperature lowers the mean cross-entropy by more than a standard error of the difference.

    >>> logits = torch.tensor([[2.0, 0.0]] * 4, dtype=torch.float64)
    >>> pays(100.0, logits, np.array([0, 0, 0, 1]))  # right in three cases of four: loss 0.69 and not 0.63
    False
    >>> pays(0.5, logits, np.array([0, 0, 0, 0]))
    True
    """
    truth = torch.from_numpy(labels)
    scaled, plain = (cross_entropy(logits / t, truth, reduction="none") for t in (temperature, 1.0))
    return significantly_better(scaled, plain)
