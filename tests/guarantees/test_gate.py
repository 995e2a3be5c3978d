"""The false alarm rate of the gate is within its promise."""

import numpy as np
import pytest
import torch

from benchmarks.population import HeldOut, Population
from tests.tiny import COMPONENTS
from training.certification.certify import certify
from training.certification.conformal import kth_smallest, order_statistic
from training.certification.principal_components import PrincipalComponents
from training.certification.settings import AbstentionSettings
from training.data.dataset import Dataset
from training.data.encoders import encoder_for
from training.data.splits import split
from training.reporting.evaluation.strange_inputs import make

pytestmark = pytest.mark.guarantee

_REPEATS = 300
_SETTINGS = AbstentionSettings(selective_risk=(0.05,), reject_cost=(), set_coverage=(0.9,), false_alarm_rate=0.01)


def test_false_alarms_on_exchangeable_images_are_just_under_one_in_a_hundred(held_out: HeldOut) -> None:
    every = Population.behind(np.inf, held_out.tune)
    size = len(every) // 2
    alarms = []
    for repeat in range(_REPEATS):
        order = np.random.default_rng([3, repeat]).permutation(len(every))
        tune, other = every.take(order[:size]).scored, every.take(order[size:]).scored
        # The certificate only describes the components; the scores are those of the file.
        gate = certify(tune, other, COMPONENTS, _SETTINGS).out_of_distribution
        alarms.append((other.scores.ood_score > gate.threshold).mean())
    assert np.mean(alarms) <= 0.01
    assert np.mean(alarms) >= 0.006  # and the gate does not pass everything


def test_residual_alone_misses_the_black_picture_and_some_shuffled_ones(dataset: Dataset) -> None:
    """The gate has three statistics because the usual one alone misses some inputs, as docs/abstention.md says."""
    splits = split(dataset, "tuned", 0)
    encoder = encoder_for(dataset.input, splits.train)
    components = PrincipalComponents.fit([encoder.features(splits.train.inputs)], encoder.full_scale)

    def residual(images: np.ndarray) -> np.ndarray:
        return components.statistics(encoder.features(images, torch.float64))[:, 0].numpy()

    tune = residual(splits.tune.inputs)
    threshold = kth_smallest(tune, order_statistic(len(tune), 0.99))
    strange = make(dataset.input, splits.report.inputs)
    rejected = {name: (residual(images) > threshold).mean() for name, images in strange.items()}
    assert rejected["all black"] == 0
    assert 0.93 < rejected["pixel-shuffled"] < 0.95
    assert min(rejected[name] for name in ("uniform noise", "Gaussian noise", "inverted", "all white")) == 1
