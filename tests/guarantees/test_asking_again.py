"""What no certificate can promise: that it survives asking again with a laxer risk after an abstention."""

import pytest

from benchmarks.abstention import resubmit
from benchmarks.population import Population, resamples
from tests.guarantees.limits import RESAMPLING_SEED

pytestmark = pytest.mark.guarantee


def test_what_5_percent_refused_and_10_percent_answered_is_wrong_in_three_of_ten(
    pool: Population, tune: Population
) -> None:
    sequence = tune.sequence()
    splits = list(resamples(pool, 200, RESAMPLING_SEED))
    thresholds = {risk: [split.threshold(sequence, risk) for split in splits] for risk in (0.05, 0.1)}
    (found,) = resubmit(pool, thresholds)
    assert found.splits == 200
    assert 0.27 < found.wrong < 0.34
