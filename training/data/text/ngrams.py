"""Counts as language models: the unigram and the interpolated bigram, what a learned model has to beat."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Unigram:
    """How often each of V tokens occurs, whatever is before it."""

    probabilities: NDArray[np.float64]  # [V]

    @classmethod
    def of(cls, tokens: NDArray[np.int64], size: int) -> "Unigram":
        """Counts with one added to each (Laplace 1814), so that nothing is impossible.

        >>> Unigram.of(np.array([0, 0, 1]), 3).probabilities.tolist()
        [0.5, 0.3333333333333333, 0.16666666666666666]
        """
        counts = np.bincount(tokens, minlength=size) + 1.0
        return cls(counts / counts.sum())


@dataclass(frozen=True, slots=True)
class Bigram:
    """How often a token follows another, mixed with the unigram (Witten and Bell 1991).

    P(v | u) = (c(u, v) + t(u) P(v)) / (c(u) + t(u)), where t(u) is the number of different tokens that were seen
    after u: what had many successors will have new ones.
    """

    unigram: Unigram
    pairs: NDArray[np.int64]  # sorted, u * V + v of each pair seen
    counts: NDArray[np.int64]  # of those
    seen: NDArray[np.int64]  # [V], c(u)
    successors: NDArray[np.int64]  # [V], t(u)

    @classmethod
    def of(cls, before: NDArray[np.int64], tokens: NDArray[np.int64], unigram: Unigram) -> "Bigram":
        """Count the tokens `[N]` and the ones right before them, `[N]`."""
        size = len(unigram.probabilities)
        pairs, counts = np.unique(before * size + tokens, return_counts=True)
        seen = np.bincount(before, minlength=size)
        return cls(unigram, pairs, counts, seen, np.bincount(pairs // size, minlength=size))

    def probability(self, before: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each token `[N]` after the one before it, float64 `[N]`.

        >>> bigram = Bigram.of(np.array([0, 0, 0]), np.array([1, 1, 2]), Unigram(np.array([0.5, 0.25, 0.25])))
        >>> bigram.probability(np.array([0, 0, 1]), np.array([1, 0, 2])).tolist()  # (2 + 2/4) / 5, (0 + 2/2) / 5, P(2)
        [0.5, 0.2, 0.25]
        """
        wanted = before * len(self.seen) + tokens
        places = np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)
        together = np.where(self.pairs[places] == wanted, self.counts[places], 0)
        alone = self.unigram.probabilities[tokens]
        seen, successors = self.seen[before], self.successors[before]
        mixed = (together + successors * alone) / np.maximum(seen + successors, 1)
        return np.where(seen > 0, mixed, alone)


def perplexity(probabilities: NDArray[np.floating]) -> float:
    """exp of the mean of -log p: as unsure as if so many tokens were equally likely.

    >>> round(perplexity(np.array([0.5, 0.125])), 12)
    4.0
    """
    return float(np.exp(-np.log(probabilities).mean()))
