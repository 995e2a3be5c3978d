"""Split conformal prediction: sets of labels that hold the true one with a given probability.

Assumption of every method: the calibration examples, or the groups that they come in, and the new ones are
exchangeable. The order statistic is exact, not asymptotic.
"""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import PredictionSets, SetMethod
from service.inference.classifier import Scores
from service.inference.prediction_sets import cells
from training.certification.scored import Scored

_EXPECTED_MISSES = 10  # in the calibration examples of a cell; with fewer, its coverage varies widely between draws


def order_statistic(size: int, coverage: float | Fraction, largest_group: int = 1) -> int:
    """The rank k = ceil((n + m) coverage), from below, of the threshold among n scores in groups of at most m.

    Independent scores (m = 1): if n + 1 scores are exchangeable, a new one is at most the k-th smallest of the others
    with probability at least `coverage` (Vovk, Gammerman and Shafer 2005; Lei et al. 2018, arXiv 1604.04173, theorem
    2). If k > n, no score is high enough.

    Scores in groups, such as the pictures of one patient: only the groups are exchangeable. Let group g have m_g <= m
    scores, of which misses_g exceed the threshold, and let alpha = 1 - coverage. Conformal risk control (Angelopoulos
    et al. 2022, arXiv 2208.02814, theorem 1) applies to the loss misses_g - alpha m_g: it falls as the threshold
    rises, and is at most (1 - alpha) m. The threshold is the lowest at which the losses sum to at most -(1 - alpha) m,
    that is, at which at least (n + m)(1 - alpha) scores do not exceed it. Then E[misses] <= alpha E[m_g] for a new
    group: the coverage holds over scores, however those of a group depend on one another.

    The rank is computed in exact fractions: in floating point it is off by one for some n and coverages. The common
    `numpy.quantile(..., method="higher")` at the level k / n takes the next rank for most n.

    >>> order_statistic(9, 0.9), order_statistic(8, 0.9), order_statistic(99, 0.95)
    (9, 9, 95)
    >>> order_statistic(90, 0.9), order_statistic(90, 0.9, largest_group=10)  # (90 + 10) 0.9
    (82, 90)
    """
    return math.ceil((size + largest_group) * Fraction(str(coverage)))


def kth_smallest(scores: NDArray[np.floating], k: int) -> float:
    """The k-th smallest score, counted from 1; infinity if there are fewer.

    >>> kth_smallest(np.array([0.3, 0.1, 0.2]), 2), kth_smallest(np.array([0.3]), 2)
    (0.2, inf)
    """
    return float(np.partition(scores, k - 1)[k - 1]) if k <= len(scores) else math.inf


def lac(calibration: Scored, set_coverage: float, largest_group: int = 1) -> PredictionSets:
    """One threshold for all classes: least ambiguous sets (LAC; Sadinle, Lei and Wasserman 2019).

    Marginal coverage: the set holds the true class with probability `set_coverage` over all inputs, more often for
    some inputs than for others. `largest_group` as in `order_statistic`.
    """
    rows = np.zeros(len(calibration), dtype=np.int64)
    return _sets("lac", calibration, rows, 1, set_coverage, largest_group)


def lac_class_conditional(calibration: Scored, set_coverage: float, largest_group: int = 1) -> PredictionSets:
    """One threshold for each class: the set holds the true class with probability `set_coverage` *in each class*.

    A class with too few calibration examples gets threshold 0, and so is in every set. `largest_group` as in
    `order_statistic`.
    """
    classes = calibration.scores.probabilities.shape[1]
    return _sets("lac_class_conditional", calibration, calibration.labels, classes, set_coverage, largest_group)


def by_decision(
    calibration: Scored, set_coverage: float, cuts: list[float], largest_ood_score: float, largest_group: int = 1
) -> PredictionSets:
    """One threshold for each cell of `prediction_sets.cells`: the coverage holds in each cell.

    Mondrian conformal prediction (Vovk, Gammerman and Shafer 2005). Assumes that `cuts` (rising, at least one) and the
    threshold of the gate, `largest_ood_score`, were fixed without looking at the calibration split. A cell with too few
    calibration examples gets threshold 0. `largest_group` as in `order_statistic`.

    The cells are ranges of confidence, cut where the certified policies are expected to begin to answer. So the inputs
    that a policy answers are a union of cells, and so are those that it abstains from, up to the difference between the
    threshold expected on `tune` and the one certified on `calibration`.
    """
    cell = cells(calibration.scores, cuts, largest_ood_score)
    return _sets("by_decision", calibration, cell, len(cuts) + 1, set_coverage, largest_group, cuts)


def expected_cuts(expected: Mapping[float, float | None], default_risk: float) -> list[float]:
    """The threshold expected on `tune` for each risk: that of the default first, then from strict to lax.

    Risks that are not expected to be certified are left out, and equal thresholds are taken once.

    >>> expected_cuts({0.01: None, 0.02: 0.9, 0.05: 0.7, 0.1: 0.7}, 0.05)
    [0.7, 0.9]
    """
    risks = sorted(expected, key=lambda risk: (risk != default_risk, risk))
    return list(dict.fromkeys(cut for risk in risks if (cut := expected[risk]) is not None))


def wide_enough(
    expected: Sequence[float], tune: Scores, largest_ood_score: float, calibration_size: int, set_coverage: float
) -> list[float]:
    """The cuts, rising, that leave each cell at least 10 / (1 - set_coverage) calibration examples, by tune's shares.

    Cuts are tried in the order of `expected`, and each is kept if it does so together with those kept before it.

    >>> confidence = np.arange(1, 11, dtype=np.float32) / 10
    >>> tune = Scores(confidence[:, None], confidence, np.zeros(10, dtype=np.float32))
    >>> wide_enough([0.55, 0.85, 0.95], tune, 1.0, 500, 0.9), wide_enough([0.55], tune, 1.0, 500, 0.99)
    ([0.55, 0.85], [])
    """
    least = _EXPECTED_MISSES / (1 - Fraction(str(set_coverage))) * len(tune.confidence) / calibration_size
    kept: list[float] = []
    for cut in expected:
        cuts = sorted([*kept, cut])
        sizes = np.bincount(cells(tune, cuts, largest_ood_score), minlength=len(cuts) + 1)
        if int(sizes.min()) >= least:
            kept = cuts
    return kept


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
    # The conformity score is 1 - p of the true class. Its k-th smallest is the k-th largest p, which is compared
    # directly: 1 - p would round.
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
