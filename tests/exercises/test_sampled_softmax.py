from functools import partial

import pytest
import torch
from torch import Tensor

from exercises.sampled_softmax import log_uniform, sampled_softmax
from training.fitting.linear_cross_entropy import linear_cross_entropy

CLASSES = 50


def _problem() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    features, weights = torch.randn(8, 6, generator=generator), torch.randn(6, CLASSES, generator=generator)
    return features, weights, torch.randn(CLASSES, generator=generator), torch.arange(8)


def _gradient(samples: int | None) -> tuple[float, Tensor]:
    features, weights, biases, labels = _problem()
    weights.requires_grad_()
    drawing = partial(
        sampled_softmax, proposal=log_uniform(CLASSES), samples=samples or 1, generator=torch.Generator().manual_seed(0)
    )
    loss = (linear_cross_entropy if samples is None else drawing)(features, weights, biases, labels)
    return loss.item(), torch.autograd.grad(loss, weights)[0]


def test_proposal_is_a_falling_distribution() -> None:
    proposal = log_uniform(CLASSES)
    assert proposal.sum().item() == pytest.approx(1, abs=1e-6)
    assert bool((proposal.diff() < 0).all())


def test_many_draws_approach_the_full_softmax() -> None:
    exact, gradient = _gradient(None)
    loss, estimate = _gradient(1_000_000)
    assert loss == pytest.approx(exact, abs=0.01)
    assert (estimate - gradient).norm() < 0.02 * gradient.norm()


def test_few_draws_underestimate_the_loss_on_average() -> None:
    features, weights, biases, labels = _problem()
    generator = torch.Generator().manual_seed(0)
    losses = [
        sampled_softmax(features, weights, biases, labels, log_uniform(CLASSES), 5, generator).item()
        for _ in range(200)
    ]
    assert sum(losses) / len(losses) < _gradient(None)[0] - 0.1
