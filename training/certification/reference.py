"""How scores fall on a held-out split, for the service to hold recent requests against."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.contract.reference import MOST_BINS, Histogram, Reference
from service.inference.classifier import Scores

# Tenths, and both tails: an input that the gate turns away is among the most extreme hundredth.
_QUANTILES = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)


def reference(split: Literal["calibration", "report"], fingerprint: str, scores: Scores, others: Scores) -> Reference:
    """Count the scores of the split in bins that are fixed on the scores of other examples.

    The split and later inputs are then exchangeable, which the test for drift needs: bins fixed on the split itself
    fit it better than they fit anything else.
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
    """Counts of `values`, `[N]`, in bins between the quantiles of `others`, `[M]`; equal quantiles count once.

    >>> others = np.array([1, 2, 3, 4, 4, 4, 4, 4, 4, 4], dtype=np.float32)
    >>> histogram(np.array([0, 2, 2, 9], dtype=np.float32), others)
    Histogram(edges=[1.0, 2.0, 3.0, 4.0], counts=[1, 0, 2, 0, 1])
    """
    # Quantiles that are values of the split, so that an edge is a float32, as what is compared with it.
    edges = np.unique(np.quantile(others, _QUANTILES, method="inverted_cdf"))
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return Histogram(edges=edges.tolist(), counts=counts.tolist())


def _own_labels(probabilities: NDArray[np.float32]) -> list[int] | None:
    """Of many labels, those that are the likeliest most often in `[M, C]`; None where each can have a bin.

    A rare label says nothing about a shift, and thousands of them hide one.
    """
    classes = probabilities.shape[1]
    if classes <= MOST_BINS:
        return None
    counts = np.bincount(probabilities.argmax(axis=1), minlength=classes)
    return sorted(np.argsort(-counts, kind="stable")[: MOST_BINS - 1].tolist())
