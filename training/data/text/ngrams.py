"""Language models from counts, as baselines: the unigram and the interpolated bigram."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Unigram:
    """The frequency of each of V tokens, regardless of context."""

    probabilities: NDArray[np.float64]  # [V]

    @classmethod
    def of(cls, tokens: NDArray[np.int64], size: int) -> "Unigram":
        """Counts with one added to each (Laplace 1814), so that no probability is 0.

        >>> Unigram.of(np.array([0, 0, 1]), 3).probabilities.tolist()
        [0.5, 0.3333333333333333, 0.16666666666666666]
        """
        counts = np.bincount(tokens, minlength=size) + 1.0
        return cls(counts / counts.sum())


@dataclass(frozen=True, slots=True)
class Bigram:
    """The frequency of a token after another, interpolated with the unigram (Witten and Bell 1991).

    P(v | u) = (c(u, v) + t(u) P(v)) / (c(u) + t(u)), where t(u) is the number of different tokens that followed u: a
    token with many successors is likely to have new ones.
    """

    unigram: Unigram
    pairs: NDArray[np.int64]  # sorted, u * V + v of each pair
    counts: NDArray[np.int64]  # c(u, v) of each pair
    contexts: NDArray[np.int64]  # [V], c(u)
    successors: NDArray[np.int64]  # [V], t(u)

    @classmethod
    def of(cls, before: NDArray[np.int64], tokens: NDArray[np.int64], unigram: Unigram) -> "Bigram":
        """Count the tokens `[N]` after the tokens `before` them, `[N]`."""
        size = len(unigram.probabilities)
        pairs, counts = np.unique(before * size + tokens, return_counts=True)
        contexts = np.bincount(before, minlength=size)
        return cls(unigram, pairs, counts, contexts, np.bincount(pairs // size, minlength=size))

    def probability(self, before: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        """The probability of each token `[N]` after the one before it, float64 `[N]`.

        >>> bigram = Bigram.of(np.array([0, 0, 0]), np.array([1, 1, 2]), Unigram(np.array([0.5, 0.25, 0.25])))
        >>> bigram.probability(np.array([0, 0, 1]), np.array([1, 0, 2])).tolist()  # (2 + 2/4) / 5, (0 + 2/2) / 5, P(2)
        [0.5, 0.2, 0.25]
        """
        pair = before * len(self.contexts) + tokens
        index = np.minimum(np.searchsorted(self.pairs, pair), len(self.pairs) - 1)
        pair_counts = np.where(self.pairs[index] == pair, self.counts[index], 0)
        alone = self.unigram.probabilities[tokens]
        count, successors = self.contexts[before], self.successors[before]
        mixed = (pair_counts + successors * alone) / np.maximum(count + successors, 1)
        return np.where(count > 0, mixed, alone)


def perplexity(probabilities: NDArray[np.floating]) -> float:
    """exp of the mean of -log p: the number of equally likely tokens with the same uncertainty.

    >>> round(perplexity(np.array([0.5, 0.125])), 12)
    4.0
    """
    return float(np.exp(-np.log(probabilities).mean()))
