"""The minibatch loop, over tensors and a model; it knows no data set and no file."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from training.errors import DivergedError
from training.fitting.examples import Examples, Minibatch, Source
from training.fitting.gradient import loss, loss_and_gradient
from training.fitting.lift import QuadraticLift
from training.fitting.recipes import FitSettings
from training.fitting.recorded import RecordedEpochs
from training.fitting.regression import SoftmaxRegression
from training.fitting.sgd import SGD, scheduled_rate
from training.fitting.workers import ALONE, Workers

_ROWS = 1024
_MAX_NUMBERS = 2**25  # 128 MB in float32


@dataclass(frozen=True, slots=True)
class Quality:
    """Mean cross-entropy and accuracy."""

    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """The results of one epoch. `train` is the mean over its minibatches, while the weights changed."""

    number: int  # from 1
    train: Quality
    tune: Quality


@dataclass(frozen=True, slots=True)
class Best:
    """The weights that the fit would return if it ended now."""

    loss: float  # on tune
    epoch: int
    model: SoftmaxRegression


@dataclass(frozen=True, slots=True)
class State:
    """The state of a fit after an epoch: all that the rest depends on. The fit goes on changing the tensors."""

    model: SoftmaxRegression
    velocity: SoftmaxRegression | None  # of SGD
    best: Best
    history: list[Epoch]
    generator: Tensor  # its state, uint8

    def to(self, device: torch.device) -> "State":
        """The same on another device, except the generator, which stays on the CPU."""
        velocity = None if self.velocity is None else self.velocity.to(device)
        best = replace(self.best, model=self.best.model.to(device))
        return replace(self, model=self.model.to(device), velocity=velocity, best=best)


@dataclass(frozen=True, slots=True)
class Fit:
    """The fitted model, the epoch that it is from, and the results of all epochs."""

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
    *,
    lift: QuadraticLift | None = None,
    workers: Workers = ALONE,
    start: State | None = None,
    on_state: Callable[[State], None] | None = None,
) -> Fit:
    """Fit a softmax regression on `train`, with an evaluation on `tune` after each epoch.

    With a `lift` the products are features too.

    `generator`, on the CPU, draws the initial weights and each epoch's order of the examples. Both splits lie on
    the device that computes. All `workers` call this with the same arguments and get the same result. With `start`, a
    state that `on_state` received, the fit continues exactly as the first one did. Raises DivergedError when a loss is
    not finite.
    """
    if start is None:
        model = SoftmaxRegression.initial(train.width, classes, generator, lift).to(dtype=train.dtype)
        start = State(model, None, Best(math.inf, 0, model), [], generator.get_state())
    start = start.to(train.device)
    generator.set_state(start.generator)
    model, best, history = start.model, start.best, list(start.history)
    sgd = SGD(settings.momentum, settings.weight_decay, settings.clip_norm, start.velocity)
    train_at = _trainer(train, model, sgd, settings, generator, workers)
    for number in range(len(history) + 1, settings.epochs + 1):
        epoch = Epoch(number, train_at(_rates(settings, len(train), number)), evaluate(model, tune, workers))
        _require_finite(epoch, settings)
        history.append(epoch)
        if on_epoch is not None:
            on_epoch(epoch)
        if settings.keep == "last":
            best = Best(epoch.tune.loss, number, model)
        elif epoch.tune.loss < best.loss:
            best = Best(epoch.tune.loss, number, model.copy())
        if on_state is not None:
            on_state(State(model, sgd.velocity, best, history, generator.get_state()))
    return Fit(best.model, best.epoch, history)


def _require_finite(epoch: Epoch, settings: FitSettings) -> None:
    for part, quality in (("train", epoch.train), ("tune", epoch.tune)):
        if not math.isfinite(quality.loss):
            raise DivergedError(
                f"the fit diverged in epoch {epoch.number}: the loss on {part} is {quality.loss}. "
                f"Try a --learning-rate under {settings.learning_rate:g} or a --clip-norm."
            )


def evaluate(model: SoftmaxRegression, source: Source, workers: Workers = ALONE) -> Quality:
    """Loss and accuracy of `model` on the examples of `source`."""
    sums = _Sums(source.device)
    rows = rows_at_a_time(source.width, model.numbers_of_a_row)
    for block in source.blocks(workers):
        for some in block.split(rows):
            sums.add(*loss(model, some))
    return sums.quality(len(source), workers)


def train_epoch(
    model: SoftmaxRegression,
    minibatches: Iterable[Minibatch],
    sgd: SGD,
    rates: Iterator[float | Tensor],
    workers: Workers = ALONE,
) -> Quality:
    """Update `model` in place in one pass over `minibatches`; mean loss and accuracy while it changed."""
    sums = _Sums(model.weights.device)
    count = _train(model, minibatches, sgd, rates, sums, workers)
    return sums.quality(count, workers)


class RecordedFit:
    """The epochs of `train_epoch` by `RecordedEpochs`, for examples in memory and a single worker."""

    def __init__(self, model: SoftmaxRegression, train: Examples, sgd: SGD, batch_size: int) -> None:
        self._train, self._sums = train, _Sums(train.device)

        def steps(minibatches: Iterable[Minibatch], rates: Iterator[Tensor]) -> None:
            _train(model, minibatches, sgd, rates, self._sums, ALONE)

        changed = [*sgd.prepare(model), *self._sums.tensors]
        self._epochs = RecordedEpochs(train, batch_size, steps, changed)

    def epoch(self, generator: torch.Generator, rates: Sequence[float]) -> Quality:
        """One epoch in a random order from `generator`, with a learning rate for each update."""
        for tensor in self._sums.tensors:
            tensor.zero_()
        self._epochs.run(torch.randperm(len(self._train), generator=generator), rates)
        return self._sums.quality(len(self._train), ALONE)


def _trainer(
    train: Source,
    model: SoftmaxRegression,
    sgd: SGD,
    settings: FitSettings,
    generator: torch.Generator,
    workers: Workers,
) -> Callable[[Sequence[float]], Quality]:
    """A function that trains for an epoch, given the learning rate of each update; recorded where possible."""
    size = settings.batch_size
    if isinstance(train, Examples) and train.device.type == "cuda" and workers.size == 1:
        return partial(RecordedFit(model, train, sgd, size).epoch, generator)
    return lambda rates: train_epoch(model, train.minibatches(size, generator, workers), sgd, iter(rates), workers)


def _train(
    model: SoftmaxRegression,
    minibatches: Iterable[Minibatch],
    sgd: SGD,
    rates: Iterator[float | Tensor],
    sums: "_Sums",
    workers: Workers,
) -> int:
    """An update for each minibatch. Returns the number of examples in all workers together."""
    count = 0
    for batch in minibatches:
        losses, hits, gradient = loss_and_gradient(model, batch)
        sums.add(losses, hits)
        workers.sum(*gradient.tensors)
        sgd.step(model, gradient, next(rates))
        count += batch.size
    return count


def rows_at_a_time(width: int, classes: int) -> int:
    """How many examples have features and logits in memory at once: few enough for a cache, and at most 128 MB."""
    return max(1, min(_ROWS, _MAX_NUMBERS // max(width, classes)))


class _Sums:
    """The sums of losses and of right labels over an epoch.

    They stay on the device until the end, because reading a number from a GPU waits for it. They are float64: beside
    the sum of a million losses, float32 has no digit left for one more.
    """

    def __init__(self, device: torch.device) -> None:
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._hits = torch.zeros((), dtype=torch.int64, device=device)

    @property
    def tensors(self) -> list[Tensor]:
        return [self._loss, self._hits]

    def add(self, losses: Tensor, hits: Tensor) -> None:
        self._loss += losses
        self._hits += hits

    def quality(self, count: int, workers: Workers) -> Quality:
        """The means over the `count` examples of all `workers`."""
        sums = torch.stack([self._loss, self._hits.double()])
        workers.sum(sums)
        loss, hits = sums.tolist()
        return Quality(loss / count, hits / count)


def _rates(settings: FitSettings, examples: int, epoch: int) -> list[float]:
    """The learning rates of the updates of one epoch, from 1."""
    updates = math.ceil(examples / settings.batch_size)
    steps = range((epoch - 1) * updates, epoch * updates)
    return [scheduled_rate(settings.schedule, settings.learning_rate, s, settings.epochs * updates) for s in steps]
