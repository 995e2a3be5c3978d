"""The quality of a fitted model on a split, in float64, with and without its temperature."""

import numpy as np
import torch
from numpy.typing import NDArray

from service.contract.manifest import Metrics, ProbabilityQuality, RiskCoverageCurve
from training.fitting.softmax import cross_entropy, softmax
from training.reporting.evaluation import metrics


def measure_quality(logits: torch.Tensor, labels: NDArray[np.int64], temperature: float) -> Metrics:
    """Accuracy and quality of the probabilities, from logits before the temperature, float64 `[N, C]`."""
    return Metrics(
        size=len(labels),
        accuracy=metrics.accuracy(logits.numpy(), labels),
        before_temperature=_quality(logits, labels),
        operating_points=[],  # measured later, on the file itself
        risk_coverage=RiskCoverageCurve(thresholds=[], answered=[], errors=[]),
        **dict(_quality(logits / temperature, labels)),
    )


def _quality(logits: torch.Tensor, labels: NDArray[np.int64]) -> ProbabilityQuality:
    """The loss comes from the logits: a confident error can give the true label a probability that rounds to 0."""
    probabilities = softmax(logits).numpy()
    return ProbabilityQuality(
        nll=cross_entropy(logits, torch.from_numpy(labels)).item(),
        brier=metrics.brier(probabilities, labels),
        ece=metrics.ece(probabilities, labels),
        adaptive_ece=metrics.adaptive_ece(probabilities, labels),
    )
