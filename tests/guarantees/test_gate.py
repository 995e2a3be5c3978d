"""The gate turns away at most the promised share of the model's own kind."""

import numpy as np
import pytest

from benchmarks.population import HeldOut, Population
from tests.tiny import COMPONENTS
from training.abstention.certify import certify
from training.abstention.settings import AbstentionSettings

pytestmark = pytest.mark.guarantee

_REPEATS = 300
_SETTINGS = AbstentionSettings(selective_risk=(0.05,), reject_cost=(), set_coverage=(0.9,), false_alarm_rate=0.01)


def test_false_alarms_on_exchangeable_images_are_one_in_a_hundred(held_out: HeldOut) -> None:
    every = Population.behind(np.inf, held_out.tune)
    size = len(every) // 2
    alarms = []
    for repeat in range(_REPEATS):
        order = np.random.default_rng([3, repeat]).permutation(len(every))
        fixing, other = every.take(order[:size]).scored, every.take(order[size:]).scored
        # The components are but described in the certificate: the scores are the file's.
        gate = certify(fixing, other, COMPONENTS, _SETTINGS).out_of_distribution
        alarms.append((other.scores.ood_score > gate.threshold).mean())
    assert np.mean(alarms) <= 0.01 + 0.002
    assert np.mean(alarms) >= 0.01 - 0.002  # nor is it open to everything
