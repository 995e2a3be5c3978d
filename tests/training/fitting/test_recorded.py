"""Recorded epochs, which read order and rates from fixed buffers, equal those of `train_epoch` bit for bit."""

import pytest
import torch

from tests.training.fitting.lifts import lift_on
from training.fitting.examples import Examples, Levels
from training.fitting.fit import RecordedFit, train_epoch
from training.fitting.recipes import CHAPTER, TUNED, FitSettings, Precision
from training.fitting.regression import SoftmaxRegression
from training.fitting.sgd import SGD

RATES = [[0.1, 0.2, 0.05, 0.3], [0.3, 0.1, 0.01, 0.02]]  # of two epochs of four minibatches, the last one smaller


def _examples(device: str, precision: Precision) -> Examples:
    generator = torch.Generator().manual_seed(0)
    levels = torch.randint(0, 256, (100, 5), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 3, (100,), generator=generator)
    return Examples(levels, labels, Levels(255.0, getattr(torch, precision))).to(torch.device(device))


def _start(train: Examples, settings: FitSettings, components: int = 0) -> tuple[SoftmaxRegression, SGD]:
    lift = lift_on(train.features.cpu(), components) if components else None
    initial = SoftmaxRegression.initial(train.width, 3, torch.Generator().manual_seed(1), lift)
    return initial.to(train.device, train.dtype), SGD(settings.momentum, 0.01, 0.5)


@pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"))],
)
@pytest.mark.parametrize("settings", [CHAPTER, TUNED], ids=["without momentum", "with momentum"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("components", [0, 4])
def test_recorded_epochs_equal_those_of_the_loop(
    device: str, settings: FitSettings, precision: Precision, components: int
) -> None:
    train = _examples(device, precision)
    model, sgd = _start(train, settings, components)
    recorded_model, recorded_sgd = _start(train, settings, components)
    recorded = RecordedFit(recorded_model, train, recorded_sgd, 32)
    generator, other = torch.Generator().manual_seed(2), torch.Generator().manual_seed(2)
    for rates in RATES:
        # Tensors on a GPU, as in a recording: they are rounded once more than Python numbers.
        plain = rates if device == "cpu" else torch.tensor(rates, dtype=train.dtype, device=train.device).unbind()
        quality = train_epoch(model, train.minibatches(32, generator), sgd, iter(plain))
        assert recorded.epoch(other, rates) == quality
        assert all(map(torch.equal, recorded_model.tensors, model.tensors))


def test_recorded_epoch_keeps_weights_and_velocity_in_place() -> None:
    train = _examples("cpu", "float32")
    model, sgd = _start(train, TUNED)
    recorded = RecordedFit(model, train, sgd, 32)
    velocity = sgd.velocity
    assert velocity is not None
    places = [tensor.data_ptr() for tensor in (model.weights, model.biases, velocity.weights, velocity.biases)]
    recorded.epoch(torch.Generator().manual_seed(2), RATES[0])
    assert velocity is sgd.velocity
    assert places == [tensor.data_ptr() for tensor in (model.weights, model.biases, velocity.weights, velocity.biases)]
    assert velocity.weights.abs().sum() > 0
