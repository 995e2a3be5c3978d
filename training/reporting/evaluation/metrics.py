"""Metrics of probabilities. Pure numpy: probabilities float `[N, C]`, labels int64 `[N]`."""

import numpy as np
from numpy.typing import NDArray

_BINS = 15


def accuracy(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """The share of examples whose most probable class is the true one.

    >>> accuracy(np.array([[0.9, 0.1], [0.6, 0.4]], np.float32), np.array([0, 1]))
    0.5
    """
    return float((probabilities.argmax(axis=1) == labels).mean())


def brier(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Mean over examples of sum_k (p_k - 1{y = k})^2: from 0 to 2 (Brier 1950; some authors halve it).

    >>> brier(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0, 1]))
    0.25
    """
    true = probabilities[np.arange(len(labels)), labels]
    of_others = np.einsum("nk,nk->n", probabilities, probabilities) - np.square(true)  # without one-hot labels
    return float((of_others + np.square(1 - true)).mean())


def ece(probabilities: NDArray[np.floating], labels: NDArray[np.int64], bins: int = _BINS) -> float:
    """Expected calibration error: sum over bins of the confidence (lo, hi] of |B|/N * |accuracy(B) - confidence(B)|.

    (Guo et al. 2017, arXiv 1706.04599.) The bins are of equal width. It is biased upwards and depends on the bins.

    >>> ece(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1]))  # accuracy 0.5, confidence 0.75
    0.25
    """
    confidence = probabilities.max(axis=1)
    which = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)  # [N]
    return _gap(confidence, probabilities.argmax(axis=1) == labels, [which == b for b in range(bins)])


def adaptive_ece(probabilities: NDArray[np.floating], labels: NDArray[np.int64], bins: int = _BINS) -> float:
    """The same over bins of equally many examples, in the order of their confidence (Nguyen and O'Connor 2015)."""
    confidence = probabilities.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    hits = probabilities.argmax(axis=1) == labels
    return _gap(confidence, hits, list(np.array_split(order, min(bins, len(order)))))


def reliability(
    probabilities: NDArray[np.floating], labels: NDArray[np.int64], bins: int = _BINS
) -> list[tuple[float, float, int]]:
    """Mean confidence, accuracy and number of examples of each non-empty bin of equal width."""
    confidence = probabilities.max(axis=1)
    hits = probabilities.argmax(axis=1) == labels
    which = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    inside = [which == b for b in range(bins) if (which == b).any()]
    return [(float(confidence[b].mean()), float(hits[b].mean()), int(b.sum())) for b in inside]


def _gap(confidence: NDArray[np.floating], hits: NDArray[np.bool_], bins: list[NDArray[np.generic]]) -> float:
    # The sum of signed differences in a bin is |B| times the difference of the two means; an empty bin gives 0.
    sums = [abs(float((hits[b].astype(np.float64) - confidence[b]).sum())) for b in bins]
    return sum(sums) / len(confidence)
