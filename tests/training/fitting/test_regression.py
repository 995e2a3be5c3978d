"""The initial model and its two outputs."""

import pytest
import torch

from training.fitting.regression import SoftmaxRegression


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_initial_weights_are_normal_and_biases_zero_as_in_the_chapter() -> None:
    model = SoftmaxRegression.initial(784, 10, _generator(0))
    assert (model.weights.shape, model.biases.shape) == ((784, 10), (10,))
    assert model.weights.dtype == torch.float32
    # 7,840 draws: their mean has a standard error of 1.1e-4, their deviation one of 0.8 %.
    assert abs(model.weights.mean().item()) < 5e-4
    assert model.weights.std().item() == pytest.approx(0.01, rel=0.04)
    assert not model.biases.any()


def test_initial_weights_follow_the_seed() -> None:
    first, again, other = (SoftmaxRegression.initial(784, 10, _generator(seed)).weights for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_logits_and_probabilities_by_hand() -> None:
    model = SoftmaxRegression(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([0.5, 0.0]))
    features = torch.tensor([[1.0, 1.0]])
    assert model.logits(features).tolist() == [[1.5, 2.0]]
    assert model.probabilities(features)[0, 1].item() == pytest.approx(1 / (1 + 2.718281828**-0.5))


def test_copy_is_independent() -> None:
    model = SoftmaxRegression.initial(3, 2, _generator(0))
    copy = model.copy()
    model.weights.add_(1)
    model.biases.add_(1)
    assert not torch.equal(copy.weights, model.weights)
    assert not copy.biases.any()
