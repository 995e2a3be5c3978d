"""The minibatch loop. Knows tensors and a model; knows no data set and no file."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from training.errors import DivergedError
from training.recipes import FitSettings
from training.regression import SoftmaxRegression
from training.sgd import SGD, scheduled_rate
from training.softmax import cross_entropy, cross_entropy_and_gradient


@dataclass(frozen=True, slots=True)
class Examples:
    """N labelled examples on one device."""

    features: Tensor  # float32 [N, D]
    labels: Tensor  # int64 [N]

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Examples":
        """The same examples on another device."""
        return Examples(self.features.to(device), self.labels.to(device))


@dataclass(frozen=True, slots=True)
class Quality:
    """Mean cross-entropy and share of right labels."""

    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch's course. `train` is the running mean over its minibatches, as the weights changed."""

    number: int  # from 1
    train: Quality
    tune: Quality


@dataclass(frozen=True, slots=True)
class Fit:
    """The fitted model, the epoch that it is from, and how the fit went."""

    model: SoftmaxRegression
    best_epoch: int
    history: list[Epoch]


def fit(
    train: Examples,
    tune: Examples,
    classes: int,
    settings: FitSettings,
    generator: torch.Generator,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Fit:
    """Fit a softmax regression on `train`, watching `tune` after each epoch.

    `generator`, on the CPU, draws the initial weights and each epoch's order of the examples. Both splits lie on
    the device that computes. Raises DivergedError when a loss is not finite.
    """
    device = train.features.device
    model = SoftmaxRegression.initial(train.features.shape[1], classes, generator).to(device)
    sgd = SGD(settings.momentum, settings.weight_decay, settings.clip_norm)
    rates = _rates(settings, len(train))
    history: list[Epoch] = []
    best: tuple[float, int, SoftmaxRegression] = (math.inf, 0, model)
    for number in range(1, settings.epochs + 1):
        order = torch.randperm(len(train), generator=generator).to(device)
        epoch = Epoch(number, _train_epoch(model, train, order, sgd, rates, settings), evaluate(model, tune))
        if not (math.isfinite(epoch.train.loss) and math.isfinite(epoch.tune.loss)):
            raise DivergedError(
                f"the fit diverged in epoch {number}: the loss is {epoch.train.loss}. "
                f"Try a --learning-rate under {settings.learning_rate} or a --clip-norm."
            )
        history.append(epoch)
        if on_epoch is not None:
            on_epoch(epoch)
        if settings.keep == "last":
            best = (epoch.tune.loss, number, model)
        elif epoch.tune.loss < best[0]:
            best = (epoch.tune.loss, number, model.copy())
    return Fit(best[2], best[1], history)


def evaluate(model: SoftmaxRegression, examples: Examples) -> Quality:
    """Loss and accuracy of `model` on `examples`."""
    logits = model.logits(examples.features)
    hits = logits.argmax(dim=1) == examples.labels
    return Quality(cross_entropy(logits, examples.labels).item(), hits.float().mean().item())


def _rates(settings: FitSettings, examples: int) -> Iterator[float]:
    steps = settings.epochs * math.ceil(examples / settings.batch_size)
    return (scheduled_rate(settings.schedule, settings.learning_rate, step, steps) for step in range(steps))


def _train_epoch(
    model: SoftmaxRegression,
    train: Examples,
    order: Tensor,
    sgd: SGD,
    rates: Iterator[float],
    settings: FitSettings,
) -> Quality:
    device = order.device
    loss, hits = torch.zeros((), device=device), torch.zeros((), device=device)
    # The sums stay on the device until the end: reading a number off a GPU waits for it.
    for batch in torch.split(order, settings.batch_size):
        features = train.features.index_select(0, batch)  # [B, D]
        labels = train.labels.index_select(0, batch)  # [B]
        logits = model.logits(features)  # [B, C]
        hits += (logits.argmax(dim=1) == labels).sum()
        batch_loss, error = cross_entropy_and_gradient(logits, labels)
        loss += batch_loss * len(batch)
        gradient = SoftmaxRegression(features.T @ error, error.sum(dim=0))
        sgd.step(model, gradient, next(rates))
    return Quality(loss.item() / len(order), hits.item() / len(order))
