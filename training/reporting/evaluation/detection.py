"""How well a score separates strange inputs from normal ones, over all thresholds. Higher means stranger."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

KEPT = Fraction(95, 100)  # share of the normal inputs that the threshold of FPR95 keeps


@dataclass(frozen=True, slots=True)
class Separation:
    """How well one score separates the two kinds."""

    auroc: float
    fpr95: float

    @classmethod
    def of(cls, normal: NDArray[np.floating], strange: NDArray[np.floating]) -> "Separation":
        """From the scores of N normal and M strange inputs."""
        return cls(auroc(normal, strange), fpr95(normal, strange))


def auroc(normal: NDArray[np.floating], strange: NDArray[np.floating]) -> float:
    """The probability that a strange input scores higher than a normal one; a tie counts half.

    The area under the receiver operating characteristic, as a rank statistic (Mann and Whitney 1947).

    >>> auroc(np.array([1.0, 2.0]), np.array([2.0, 3.0]))  # three of four pairs are right and one is a tie
    0.875
    """
    rising = np.sort(normal)
    below = np.searchsorted(rising, strange, side="left")  # normal inputs that score less, for each strange one
    not_above = np.searchsorted(rising, strange, side="right")
    return float((below + not_above).mean() / (2 * len(normal)))


def fpr95(normal: NDArray[np.floating], strange: NDArray[np.floating]) -> float:
    """The share of strange inputs taken for normal at the lowest threshold that keeps 95 % of the normal ones.

    An input is kept if its score is at most the threshold (Hendrycks and Gimpel 2017, arXiv 1610.02136).

    >>> fpr95(np.arange(100.0), np.array([94.0, 94.5, 200.0, 300.0]))  # the threshold is 94
    0.25
    """
    rank = math.ceil(KEPT * len(normal))
    threshold = np.partition(normal, rank - 1)[rank - 1]
    return float((strange <= threshold).mean())
