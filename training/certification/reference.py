"""The reference distribution of scores on a held-out split, which the service compares recent requests with."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.contract.reference import MAX_BINS, Histogram, Reference
from service.inference.classifier import Scores

# Deciles, and both tails: an input that fails the gate is in the most extreme hundredth.
_QUANTILES = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)


def reference(split: Literal["calibration", "report"], fingerprint: str, scores: Scores, others: Scores) -> Reference:
    """Count the scores of the split in bins that are fixed on the scores of other examples.

    The drift test assumes that the split and later inputs are exchangeable. Bins fixed on the split itself would fit it
    better than any later input.
    """
    classes = scores.probabilities.shape[1]
    return Reference(
        split=split,
        size=len(scores.confidence),
        fingerprint=fingerprint,
        labels=np.bincount(scores.probabilities.argmax(axis=1), minlength=classes).tolist(),
        own_labels=_own_labels(others.probabilities),
        confidence=histogram(scores.confidence, others.confidence),
        ood_score=histogram(scores.ood_score, others.ood_score),
    )


def histogram(values: NDArray[np.float32], others: NDArray[np.float32]) -> Histogram:
    """Counts of `values`, `[N]`, in bins between the quantiles of `others`, `[M]`; equal quantiles give one edge.

    >>> others = np.array([1, 2, 3, 4, 4, 4, 4, 4, 4, 4], dtype=np.float32)
    >>> histogram(np.array([0, 2, 2, 9], dtype=np.float32), others)
    Histogram(edges=[1.0, 2.0, 3.0, 4.0], counts=[1, 0, 2, 0, 1])
    """
    # Quantiles that are values of `others`: an edge is a float32, like the scores that are compared with it.
    edges = np.unique(np.quantile(others, _QUANTILES, method="inverted_cdf"))
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return Histogram(edges=edges.tolist(), counts=counts.tolist())


def _own_labels(probabilities: NDArray[np.float32]) -> list[int] | None:
    """The labels that are most often the most likely in `[M, C]`; None if there is a bin for every label.

    Rare labels show no shift, and thousands of them hide one.
    """
    classes = probabilities.shape[1]
    if classes <= MAX_BINS:
        return None
    counts = np.bincount(probabilities.argmax(axis=1), minlength=classes)
    return sorted(np.argsort(-counts, kind="stable")[: MAX_BINS - 1].tolist())
