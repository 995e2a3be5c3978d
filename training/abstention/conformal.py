"""Split conformal prediction: the exact order statistic, prediction sets, and the gate's threshold."""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from service.certificates import PredictionSets, SetMethod
from training.abstention.scored import Scored


def order_statistic(size: int, coverage: float | Fraction) -> int:
    """k = ceil((n + 1) coverage), exactly: the rank of the score that a further one is under with that probability.

    In floating point k is off by one for some n and coverages, and `numpy.quantile(..., method="higher")` at the level
    k / n, which is often seen, takes the next rank for most n. Over n: no score is high enough. (Vovk et al. 2005; Lei
    et al. 2018, arXiv 1604.04173, theorem 2.)

    >>> order_statistic(9, 0.9), order_statistic(8, 0.9), order_statistic(99, 0.95)
    (9, 9, 95)
    """
    return math.ceil((size + 1) * Fraction(str(coverage)))


def kth_smallest(scores: NDArray[np.floating], k: int) -> float:
    """The k-th smallest score, from 1; infinity where there are fewer.

    >>> kth_smallest(np.array([0.3, 0.1, 0.2]), 2), kth_smallest(np.array([0.3]), 2)
    (0.2, inf)
    """
    return float(np.partition(scores, k - 1)[k - 1]) if k <= len(scores) else math.inf


def lac(calibration: Scored, set_coverage: float) -> PredictionSets:
    """One threshold for all classes: least ambiguous sets (LAC; Sadinle, Lei and Wasserman 2019).

    Marginal: the true class is in the set in `set_coverage` of all cases, more often for some classes than for others.
    """
    rows = [calibration.true_class_probability]
    return _sets("lac", rows, set_coverage, calibration)


def lac_class_conditional(calibration: Scored, set_coverage: float) -> PredictionSets:
    """One threshold a class: the true class is in the set in `set_coverage` of the cases *of each class*.

    A class with too few calibration examples gets threshold 0 and so is in every set.
    """
    probability, labels = calibration.true_class_probability, calibration.labels
    classes = calibration.scores.probabilities.shape[1]
    return _sets("lac_class_conditional", [probability[labels == c] for c in range(classes)], set_coverage, calibration)


def _sets(
    method: SetMethod, groups: list[NDArray[np.float32]], set_coverage: float, calibration: Scored
) -> PredictionSets:
    # The conformity score is 1 - p of the true class. Its k-th smallest is the k-th largest p, which is compared as
    # it is: 1 - p would round.
    ranks = [order_statistic(len(group), set_coverage) for group in groups]
    return PredictionSets(
        set_coverage=set_coverage,
        method=method,
        thresholds=[max(0.0, -kth_smallest(-group, k)) for group, k in zip(groups, ranks, strict=True)],
        order_statistics=ranks,
        sizes=[len(group) for group in groups],
        population=calibration.population,
        calibration_fingerprint=calibration.fingerprint,
    )
