from dataclasses import replace

import pytest
import torch
from torch import Tensor

from training.errors import DivergedError
from training.fitting.next_token import NextToken, NextTokenSettings, fit_next_token
from training.fitting.softmax import cross_entropy

TOKENS = ("<unknown>", "a", "b", "c", "d")
SETTINGS = NextTokenSettings(width=4, batch_size=64, learning_rate=0.05, steps=150)


def _examples() -> tuple[Tensor, Tensor]:
    """The next token is the sum of the previous two modulo 5, so neither alone predicts it."""
    contexts = torch.randint(0, 5, (512, 2), generator=torch.Generator().manual_seed(1))
    return contexts, contexts.sum(dim=1) % 5


def _loss(model: NextToken, contexts: Tensor, following: Tensor) -> float:
    return cross_entropy(model.regression.logits(model.features(contexts)), following).item()


def test_embeddings_are_learnt_with_the_regression() -> None:
    contexts, following = _successors()
    learnt = fit_next_token(TOKENS, contexts, following, SETTINGS)
    assert _loss(learnt, contexts, following) < 0.05
    narrow = fit_next_token(TOKENS, contexts, following, replace(SETTINGS, width=2))
    fixed = fit_next_token(TOKENS, contexts, following, replace(SETTINGS, width=2, learn_embeddings=False))
    assert _loss(narrow, contexts, following) < _loss(fixed, contexts, following)


def _successors() -> tuple[Tensor, Tensor]:
    """The next token is the successor of the last one."""
    contexts, _ = _examples()
    return contexts, (contexts[:, 1] + 1) % 5


def test_model_has_its_documented_shapes() -> None:
    contexts, following = _examples()
    model = fit_next_token(TOKENS, contexts, following, replace(SETTINGS, steps=2))
    assert model.context == 2
    assert model.embeddings.shape == (5, 4)
    assert model.regression.weights.shape == (8, 5)
    assert model.features(contexts).shape == (512, 8)
    parameters = (model.embeddings, model.regression.weights, model.regression.biases)
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in parameters)


def test_oldest_token_comes_first() -> None:
    contexts, following = _examples()
    model = fit_next_token(TOKENS, contexts, following, replace(SETTINGS, steps=1))
    features = model.features(torch.tensor([[3, 1]]))[0]
    assert torch.equal(features, torch.cat([model.embeddings[3], model.embeddings[1]]))


def test_fit_without_steps_is_the_unigram() -> None:
    contexts, following = _examples()
    model = fit_next_token(TOKENS, contexts, following, replace(SETTINGS, steps=0))
    probabilities = model.regression.probabilities(model.features(contexts[:1]))[0]
    assert torch.allclose(probabilities, (torch.bincount(following) + 1) / 517, atol=1e-6)


def test_same_seed_gives_the_same_model() -> None:
    contexts, following = _examples()
    first, second, other = (
        fit_next_token(TOKENS, contexts, following, replace(SETTINGS, steps=5, seed=seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first.regression.weights, second.regression.weights)
    assert not torch.equal(first.regression.weights, other.regression.weights)


def test_divergence_is_reported() -> None:
    contexts, following = _examples()
    with pytest.raises(DivergedError, match="the fit diverged in step"):
        fit_next_token(TOKENS, contexts, following, replace(SETTINGS, learning_rate=1e30))
