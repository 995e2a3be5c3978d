"""All selective risks of a file at once: the promise of `--familywise`, and its price in coverage."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.population import CONFIDENCE_LEVEL, RISKS, Population, resamples
from tests.guarantees.limits import MAX_VIOLATIONS, REPEATS, RESAMPLING_SEED
from training.certification.samples import GatedSplit
from training.certification.selective_risk import certify

pytestmark = pytest.mark.guarantee


def _certified(pool: Population, tune: Population, family: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each promise is broken, and its coverage, `[REPEATS, risks]`."""
    sequence, tune_split = tune.sequence(), GatedSplit.of_split(tune.scored, tune.eligible, 1)
    certified = [
        [certify(sequence, tune_split, calibration, risk, CONFIDENCE_LEVEL, family).threshold for risk in RISKS]
        for split in resamples(pool, REPEATS, RESAMPLING_SEED)
        for calibration in [GatedSplit.of_split(split.scored, split.eligible, 1)]
    ]
    columns = [pool.truth(list(thresholds)) for thresholds in zip(*certified, strict=True)]
    broken = [risk > target for (_, risk), target in zip(columns, RISKS, strict=True)]
    return np.stack(broken, axis=1), np.stack([coverage for coverage, _ in columns], axis=1)


def test_all_risks_hold_together_with_the_promised_confidence(pool: Population, tune: Population) -> None:
    broken, coverage = _certified(pool, tune, len(RISKS))
    assert broken.any(axis=1).sum() <= MAX_VIOLATIONS
    each, alone = _certified(pool, tune, 1)
    assert each.any(axis=1).sum() > MAX_VIOLATIONS  # promises that hold by themselves need not hold together
    price = dict(zip(RISKS, (alone - coverage).mean(axis=0), strict=True))
    assert 0.005 < price[0.05] < 0.02
    assert price[0.01] < 0.12
