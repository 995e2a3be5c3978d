"""The update and the schedule against those of torch."""

import math

import pytest
import torch

from training.fitting.recipes import Schedule
from training.fitting.regression import SoftmaxRegression
from training.fitting.sgd import SGD, scheduled_rate

RATES = [0.1, 0.05, 0.2, 0.01]


def _model(seed: int, products: bool) -> SoftmaxRegression:
    generator = torch.Generator().manual_seed(seed)
    return SoftmaxRegression(
        torch.randn(6, 3, generator=generator, dtype=torch.float64),
        torch.randn(3, generator=generator, dtype=torch.float64),
        torch.randn(3, 2, 2, generator=generator, dtype=torch.float64) if products else None,
    )


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("clip_norm", [None, 0.5, 100.0])
@pytest.mark.parametrize("products", [False, True])
def test_steps_equal_those_of_torch(
    momentum: float, weight_decay: float, clip_norm: float | None, products: bool
) -> None:
    model = _model(0, products)
    sgd = SGD(momentum, weight_decay, clip_norm)
    weights, biases, *rest = learnt = [torch.nn.Parameter(tensor.clone()) for tensor in model.tensors]
    reference = torch.optim.SGD(
        [{"params": [weights, *rest], "weight_decay": weight_decay}, {"params": [biases], "weight_decay": 0.0}],
        lr=1.0,
        momentum=momentum,
    )
    for number, rate in enumerate(RATES):
        gradient = _model(number + 1, products)
        for parameter, tensor in zip(learnt, gradient.tensors, strict=True):
            parameter.grad = tensor.clone()
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(learnt, clip_norm)
        for group in reference.param_groups:
            group["lr"] = rate
        reference.step()
        sgd.step(model, gradient, rate)
        for tensor, parameter in zip(model.tensors, learnt, strict=True):
            torch.testing.assert_close(tensor, parameter.data, rtol=1e-5, atol=1e-5)


def test_cosine_schedule_falls_from_the_full_rate_towards_zero() -> None:
    rates = [scheduled_rate("cosine", 0.1, step, 100) for step in range(100)]
    assert rates[0] == 0.1
    assert rates[50] == pytest.approx(0.05)
    assert rates == sorted(rates, reverse=True)
    assert rates[25] == pytest.approx(0.05 * (1 + math.cos(math.pi / 4)))
    assert 0 < rates[-1] < 1e-4


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_first_rate_is_the_learning_rate(schedule: Schedule) -> None:
    assert scheduled_rate(schedule, 0.3, 0, 7) == 0.3


def test_constant_schedule_stays() -> None:
    assert {scheduled_rate("constant", 0.3, step, 7) for step in range(7)} == {0.3}
