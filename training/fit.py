"""The minibatch loop. Knows tensors and a model; knows no data set and no file."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

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
    labels: Tensor  # int64 [N]; or soft, to fit to: float32 [N, C], each row a distribution over the classes

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def width(self) -> int:
        """D, the number of features."""
        return self.features.shape[1]

    @property
    def classes(self) -> Tensor:
        """Each one's class, int64 `[N]`; of a soft label the likeliest."""
        return self.labels.argmax(dim=1) if self.labels.is_floating_point() else self.labels

    @property
    def device(self) -> torch.device:
        """Where they lie, and where the fit computes."""
        return self.features.device

    def to(self, device: torch.device) -> "Examples":
        """The same examples on another device."""
        return Examples(self.features.to(device), self.labels.to(device))

    def take(self, rows: Tensor) -> "Examples":
        """The examples at `rows`, in that order."""
        return Examples(self.features.index_select(0, rows), self.labels.index_select(0, rows))

    def minibatches(self, size: int, generator: torch.Generator) -> Iterator["Examples"]:
        """Each example once, in an order that `generator`, on the CPU, draws; the last minibatch may be smaller."""
        order = torch.randperm(len(self), generator=generator).to(self.device)
        return (self.take(rows) for rows in torch.split(order, size))

    def blocks(self) -> Iterator["Examples"]:
        """All of them, in order."""
        yield self


class Source(Protocol):
    """Labelled examples, in memory or elsewhere, that a fit reads in minibatches."""

    def __len__(self) -> int: ...

    @property
    def width(self) -> int:
        """D, the number of features."""
        ...

    @property
    def device(self) -> torch.device:
        """Where what is read lies, and where the fit computes."""
        ...

    def minibatches(self, size: int, generator: torch.Generator) -> Iterator[Examples]:
        """Each example once, in a new order; `generator` is on the CPU."""
        ...

    def blocks(self) -> Iterator[Examples]:
        """Each example once, in the same order every time."""
        ...


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
    train: Source,
    tune: Source,
    classes: int,
    settings: FitSettings,
    generator: torch.Generator,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Fit:
    """Fit a softmax regression on `train`, watching `tune` after each epoch.

    `generator`, on the CPU, draws the initial weights and each epoch's order of the examples. Both splits lie on
    the device that computes. Raises DivergedError when a loss is not finite.
    """
    model = SoftmaxRegression.initial(train.width, classes, generator).to(train.device)
    sgd = SGD(settings.momentum, settings.weight_decay, settings.clip_norm)
    rates = _rates(settings, len(train))
    history: list[Epoch] = []
    best: tuple[float, int, SoftmaxRegression] = (math.inf, 0, model)
    for number in range(1, settings.epochs + 1):
        minibatches = train.minibatches(settings.batch_size, generator)
        epoch = Epoch(number, train_epoch(model, minibatches, sgd, rates), evaluate(model, tune))
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


def evaluate(model: SoftmaxRegression, source: Source) -> Quality:
    """Loss and accuracy of `model` on the examples of `source`."""
    loss, hits = 0.0, 0
    for block in source.blocks():
        logits = model.logits(block.features)
        loss += cross_entropy(logits, block.labels).item() * len(block)
        hits += int((logits.argmax(dim=1) == block.classes).sum())
    return Quality(loss / len(source), hits / len(source))


def _rates(settings: FitSettings, examples: int) -> Iterator[float]:
    steps = settings.epochs * math.ceil(examples / settings.batch_size)
    return (scheduled_rate(settings.schedule, settings.learning_rate, step, steps) for step in range(steps))


def train_epoch(model: SoftmaxRegression, minibatches: Iterable[Examples], sgd: SGD, rates: Iterator[float]) -> Quality:
    """One pass over `minibatches`, updating `model` in place: its loss and accuracy in the mean, as it changed."""
    device = model.weights.device
    # The sums stay on the device until the end: reading a number off a GPU waits for it. In float64, since a million
    # losses add up to where float32 has no digit left for one.
    loss = torch.zeros((), dtype=torch.float64, device=device)
    hits = torch.zeros((), dtype=torch.int64, device=device)
    count = 0
    for batch in minibatches:
        logits = model.logits(batch.features)  # [B, C]
        hits += (logits.argmax(dim=1) == batch.classes).sum()
        batch_loss, error = cross_entropy_and_gradient(logits, batch.labels)
        loss += batch_loss * len(batch)
        gradient = SoftmaxRegression(batch.features.T @ error, error.sum(dim=0))
        sgd.step(model, gradient, next(rates))
        count += len(batch)
    return Quality(loss.item() / count, hits.item() / count)
