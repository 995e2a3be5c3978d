"""Split conformal prediction: the exact order statistic, and prediction sets."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import PredictionSets, SetMethod
from service.inference.prediction_sets import cells
from training.certification.scored import Scored


def order_statistic(size: int, coverage: float | Fraction, largest_group: int = 1) -> int:
    """k = ceil((n + m) coverage), exactly: the rank, from below, of the threshold for n scores in groups of at most m.

    Of independent scores (m = 1), a new one is at most the k-th smallest with probability `coverage` (Vovk et al. 2005;
    Lei et al. 2018, arXiv 1604.04173, theorem 2). A k over n means that no score is high enough.

    Scores may also come in groups, such as the pictures of one patient, where only the groups are exchangeable. Let
    group g have m_g <= m scores, of which misses_g are over the threshold, and let alpha = 1 - coverage. Conformal
    risk control (Angelopoulos et al. 2022, arXiv 2208.02814, theorem 1) applies to the loss misses_g - alpha m_g: it
    falls as the threshold rises, and it is at most (1 - alpha) m. The threshold is the lowest at which the losses sum
    to at most -(1 - alpha) m, that is, at which at least (n + m)(1 - alpha) scores are not over it. Then
    E[misses] <= alpha E[m_g] for a new group: the coverage holds over scores, however they depend on each other inside
    a group.

    In floating point k is off by one for some n and coverages. `numpy.quantile(..., method="higher")` at the level
    k / n, which is often seen, takes the next rank for most n.

    >>> order_statistic(9, 0.9), order_statistic(8, 0.9), order_statistic(99, 0.95)
    (9, 9, 95)
    >>> order_statistic(90, 0.9), order_statistic(90, 0.9, largest_group=10)  # (90 + 10) 0.9
    (82, 90)
    """
    return math.ceil((size + largest_group) * Fraction(str(coverage)))


def kth_smallest(scores: NDArray[np.floating], k: int) -> float:
    """The k-th smallest score, from 1; infinity where there are fewer.

    >>> kth_smallest(np.array([0.3, 0.1, 0.2]), 2), kth_smallest(np.array([0.3]), 2)
    (0.2, inf)
    """
    return float(np.partition(scores, k - 1)[k - 1]) if k <= len(scores) else math.inf


def lac(calibration: Scored, set_coverage: float, largest_group: int = 1) -> PredictionSets:
    """One threshold for all classes: least ambiguous sets (LAC; Sadinle, Lei and Wasserman 2019).

    Marginal: the true class is in the set in `set_coverage` of all cases, more often for some inputs than for others.
    `largest_group` as in `order_statistic`.
    """
    rows = np.zeros(len(calibration), dtype=np.int64)
    return _sets("lac", calibration, rows, 1, set_coverage, largest_group)


def lac_class_conditional(calibration: Scored, set_coverage: float, largest_group: int = 1) -> PredictionSets:
    """One threshold a class: the true class is in the set in `set_coverage` of the cases *of each class*.

    A class with too few calibration examples gets threshold 0 and so is in every set. `largest_group` as in
    `order_statistic`.
    """
    classes = calibration.scores.probabilities.shape[1]
    return _sets("lac_class_conditional", calibration, calibration.labels, classes, set_coverage, largest_group)


def by_decision(
    calibration: Scored, set_coverage: float, cuts: list[float], largest_ood_score: float, largest_group: int = 1
) -> PredictionSets:
    """One threshold a cell of `prediction_sets.cells`: the true class is in `set_coverage` of each cell's sets.

    Mondrian conformal prediction (Vovk et al. 2005): exact in each cell, as long as `cuts` (rising, at least one) and
    the gate, `largest_ood_score`, were fixed without a look at the calibration split. A cell with too few calibration
    examples gets threshold 0. `largest_group` as in `order_statistic`.
    """
    cell = cells(calibration.scores, cuts, largest_ood_score)
    return _sets("by_decision", calibration, cell, len(cuts) + 1, set_coverage, largest_group, cuts)


def _sets(
    method: SetMethod,
    calibration: Scored,
    category: NDArray[np.integer],  # [N], of each example
    categories: int,
    set_coverage: float,
    largest_group: int,
    cuts: Sequence[float] = (),
) -> PredictionSets:
    """One threshold for each category of examples, from 0 to `categories` - 1."""
    probability = calibration.true_class_probability
    parts = [probability[category == i] for i in range(categories)]
    # The conformity score is 1 - p of the true class. Its k-th smallest is the k-th largest p, which is compared as
    # it is: 1 - p would round.
    ranks = [order_statistic(len(part), set_coverage, largest_group) for part in parts]
    return PredictionSets(
        set_coverage=set_coverage,
        method=method,
        cuts=list(cuts),
        thresholds=[max(0.0, -kth_smallest(-part, k)) for part, k in zip(parts, ranks, strict=True)],
        order_statistics=ranks,
        sizes=[len(part) for part in parts],
        population=calibration.population,
        calibration_fingerprint=calibration.fingerprint,
    )
