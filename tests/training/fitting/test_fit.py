"""The training loop: equal to one built from torch, reproducible, and with a clear error when it diverges."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its own documentation's name

from exercises.soft_labels import one_hot
from training.errors import DivergedError
from training.fitting.examples import Examples
from training.fitting.fit import Epoch, Fit, evaluate, fit
from training.fitting.recipes import CHAPTER, TUNED, FitSettings
from training.fitting.regression import SoftmaxRegression


def _examples(count: int, seed: int, noise: float = 0.0) -> Examples:
    """Points in the plane labelled by three sectors; a share of `noise` has a random label."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, 2, generator=generator)
    labels = torch.stack([features[:, 0], features[:, 1], -features.sum(dim=1)], dim=1).argmax(dim=1)
    wrong = torch.rand(count, generator=generator) < noise
    labels[wrong] = torch.randint(3, (int(wrong.sum()),), generator=generator)
    return Examples(features, labels)


TRAIN, TUNE = _examples(500, 0), _examples(200, 1)


def _fit(settings: FitSettings, seed: int = 0, train: Examples = TRAIN, tune: Examples = TUNE) -> Fit:
    return fit(train, tune, 3, settings, torch.Generator().manual_seed(seed))


def test_fit_learns() -> None:
    fitted = _fit(dataclasses.replace(CHAPTER, batch_size=16, epochs=40))
    assert evaluate(fitted.model, TUNE).accuracy > 0.97
    assert fitted.history[-1].train.loss < fitted.history[0].train.loss


@pytest.mark.parametrize("settings", [CHAPTER, dataclasses.replace(TUNED, epochs=5, clip_norm=0.1, weight_decay=1e-3)])
def test_same_seed_gives_the_same_bits(settings: FitSettings) -> None:
    first, again, other = _fit(settings, 3), _fit(settings, 3), _fit(settings, 4)
    assert torch.equal(first.model.weights, again.model.weights)
    assert torch.equal(first.model.biases, again.model.biases)
    assert first.history == again.history
    assert not torch.equal(first.model.weights, other.model.weights)


def test_fit_equals_one_built_from_torch() -> None:
    """Autograd, F.cross_entropy and torch.optim.SGD, with a last minibatch that is not full."""
    settings = dataclasses.replace(CHAPTER, epochs=3, batch_size=64, momentum=0.5)
    fitted = _fit(settings, seed=5)

    generator = torch.Generator().manual_seed(5)
    start = SoftmaxRegression.initial(2, 3, generator)
    weights, biases = torch.nn.Parameter(start.weights), torch.nn.Parameter(start.biases)
    optimizer = torch.optim.SGD([weights, biases], lr=settings.learning_rate, momentum=settings.momentum)
    for _ in range(settings.epochs):
        order = torch.randperm(len(TRAIN), generator=generator)
        for rows in order.split(64):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            F.cross_entropy(TRAIN.features[rows] @ weights + biases, TRAIN.labels[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    torch.testing.assert_close(fitted.model.weights, weights.data, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(fitted.model.biases, biases.data, rtol=1e-5, atol=1e-6)


def test_history_is_complete_and_reported_after_each_epoch() -> None:
    told: list[Epoch] = []
    fitted = fit(TRAIN, TUNE, 3, CHAPTER, torch.Generator().manual_seed(0), told.append)
    assert told == fitted.history
    assert [epoch.number for epoch in told] == list(range(1, 11))
    assert told[-1].tune == evaluate(fitted.model, TUNE)


def test_keep_selects_the_epoch() -> None:
    # With few noisy examples and a high rate, the tune loss rises again.
    settings = dataclasses.replace(CHAPTER, epochs=30, batch_size=4, learning_rate=2.0)
    train, tune = _examples(40, 2, noise=0.5), _examples(300, 3, noise=0.5)
    last = _fit(dataclasses.replace(settings, keep="last"), train=train, tune=tune)
    best = _fit(dataclasses.replace(settings, keep="best"), train=train, tune=tune)
    losses = [epoch.tune.loss for epoch in best.history]
    assert last.history == best.history
    assert last.best_epoch == 30
    assert best.best_epoch == losses.index(min(losses)) + 1 < 30
    assert evaluate(best.model, tune).loss == min(losses)
    assert evaluate(last.model, tune).loss == losses[-1]


def test_divergence_error_names_the_epoch_and_the_rate() -> None:
    with pytest.raises(
        DivergedError, match=r"diverged in epoch \d: the loss on train is (nan|inf)\. .* under 1e\+38 or a --clip"
    ):
        _fit(dataclasses.replace(CHAPTER, learning_rate=1e38, batch_size=4))


def test_nan_in_the_data_stops_the_fit() -> None:
    features = TRAIN.features.clone()
    features[7, 0] = float("nan")
    with pytest.raises(DivergedError, match="diverged in epoch 1: the loss on train is nan"):
        _fit(CHAPTER, train=Examples(features, TRAIN.labels))


def test_evaluate_by_hand() -> None:
    model = SoftmaxRegression(torch.eye(2), torch.zeros(2))
    quality = evaluate(model, Examples(torch.tensor([[0.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 1])))
    assert quality.accuracy == 0.5
    assert quality.loss == pytest.approx((0.693147 + 9.000123) / 2, abs=1e-5)


def test_one_hot_soft_labels_fit_the_same_model() -> None:
    soft = _fit(CHAPTER, train=Examples(TRAIN.features, one_hot(TRAIN.labels, 3)))
    by_index = _fit(CHAPTER)
    torch.testing.assert_close(soft.model.weights, by_index.model.weights)
    assert soft.history[-1].train.accuracy == by_index.history[-1].train.accuracy
