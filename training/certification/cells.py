"""The cells that `by_decision` keeps its promise in: ranges of confidence, fixed on `tune`.

They are cut where the certified policies are expected to begin to answer. So what a policy abstains from is a union of
cells, and what it answers another, up to the difference between the threshold that `tune` would choose and the one
that `calibration` certifies.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from service.inference.classifier import Scores
from service.inference.prediction_sets import cells

_EXPECTED_MISSES = 10  # in the calibration examples of a cell: with fewer, its coverage varies much over their draw


def expected_cuts(expected: Mapping[float, float | None], default_risk: float) -> list[float]:
    """The threshold that `tune` would choose for each risk: the default's first, then strict to lax.

    A risk that `tune` would not certify has none, and of two that are equal there is one.

    >>> expected_cuts({0.01: None, 0.02: 0.9, 0.05: 0.7, 0.1: 0.7}, 0.05)
    [0.7, 0.9]
    """
    risks = sorted(expected, key=lambda risk: (risk != default_risk, risk))
    return list(dict.fromkeys(cut for risk in risks if (cut := expected[risk]) is not None))


def wide_enough(
    expected: Sequence[float], tune: Scores, largest_ood_score: float, calibration_size: int, set_coverage: float
) -> list[float]:
    """The cuts, rising, that leave every cell 10 / (1 - set_coverage) calibration examples or more, by tune's shares.

    A cut is kept if it does so beside those kept before it; so the first of `expected` has the best chance.

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
