"""How scores fall on a held-out split, for the service to hold recent requests against."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.classifier import Scores
from service.reference import Histogram, Reference

# Tenths, and both tails: an input that the gate turns away is among the most extreme hundredth.
_QUANTILES = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)


def reference(split: Literal["calibration", "report"], fingerprint: str, scores: Scores) -> Reference:
    """Count the scores of the split in bins of their own quantiles."""
    classes = scores.probabilities.shape[1]
    return Reference(
        split=split,
        size=len(scores.confidence),
        fingerprint=fingerprint,
        labels=np.bincount(scores.probabilities.argmax(axis=1), minlength=classes).tolist(),
        confidence=histogram(scores.confidence),
        ood_score=histogram(scores.ood_score),
    )


def histogram(values: NDArray[np.float32]) -> Histogram:
    """Bins between the quantiles of `values`, `[N]`; equal quantiles count once.

    >>> histogram(np.array([1, 2, 3, 4, 4, 4, 4, 4, 4, 4], dtype=np.float32))
    Histogram(edges=[1.0, 2.0, 3.0, 4.0], counts=[0, 1, 1, 1, 7])
    """
    # Quantiles that are values of the split, so that an edge is a float32, as what is compared with it.
    edges = np.unique(np.quantile(values, _QUANTILES, method="inverted_cdf"))
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return Histogram(edges=edges.tolist(), counts=counts.tolist())
