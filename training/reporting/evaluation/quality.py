"""How good a fitted model is on a split: in float64, with its temperature and without."""

import numpy as np
import torch
from numpy.typing import NDArray

from service.contract.manifest import Metrics, ProbabilityQuality, RiskCoverageCurve
from training.fitting.softmax import cross_entropy, softmax
from training.reporting.evaluation import metrics


def measure_quality(logits: torch.Tensor, labels: NDArray[np.int64], temperature: float) -> Metrics:
    """Accuracy and quality of the probabilities, from logits float64 `[N, C]` that know no temperature yet."""
    return Metrics(
        size=len(labels),
        accuracy=metrics.accuracy(logits.numpy(), labels),
        before_temperature=_quality(logits, labels),
        operating_points=[],  # of the file itself, once there is one
        risk_coverage=RiskCoverageCurve(thresholds=[], answered=[], errors=[]),
        **dict(_quality(logits / temperature, labels)),
    )


def _quality(logits: torch.Tensor, labels: NDArray[np.int64]) -> ProbabilityQuality:
    """The loss is taken from the logits: a model that is sure and wrong gives the true label a probability that
    rounds to 0, whose logarithm is infinite.
    """
    probabilities = softmax(logits).numpy()
    return ProbabilityQuality(
        nll=cross_entropy(logits, torch.from_numpy(labels)).item(),
        brier=metrics.brier(probabilities, labels),
        ece=metrics.ece(probabilities, labels),
        adaptive_ece=metrics.adaptive_ece(probabilities, labels),
    )
