"""A limit of every certificate: it does not hold if abstained inputs are sent again with a laxer risk."""

import pytest

from benchmarks.abstention import resubmit
from benchmarks.population import Population, resamples
from tests.guarantees.limits import RESAMPLING_SEED

pytestmark = pytest.mark.guarantee


def test_inputs_answered_only_at_10_percent_are_wrong_in_four_of_ten(pool: Population, tune: Population) -> None:
    sequence = tune.sequence()
    splits = list(resamples(pool, 200, RESAMPLING_SEED))
    thresholds = {risk: [split.threshold(sequence, risk) for split in splits] for risk in (0.05, 0.1)}
    (result,) = resubmit(pool, thresholds)
    assert result.splits == 200
    assert 0.35 < result.wrong < 0.43
