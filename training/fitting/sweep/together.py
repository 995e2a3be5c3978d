"""Fits runs together that share the order of their minibatches, each as `fit` would alone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.fitting import threads
from training.fitting.examples import Source
from training.fitting.fit import Epoch, Fit, Quality, rows_at_a_time
from training.fitting.gradient import by_class, softmax_, subtract_
from training.fitting.recipes import FitSettings
from training.fitting.regression import SoftmaxRegression
from training.fitting.sweep.wide import WideRegression, WideSGD
from training.fitting.workers import ALONE

# Over all runs of one matrix product: 32 MB and 128 MB in float32. Larger products are no faster.
_MAX_WEIGHTS, _MAX_LOGITS = 2**23, 2**25


@dataclass(frozen=True, slots=True)
class Diverged:
    """A run whose loss became NaN or infinite."""

    epoch: int  # in which it did, from 1
    history: list[Epoch]  # before that


def shared(settings: FitSettings) -> tuple[int, int, str]:
    """The settings that runs must share to be fitted together."""
    return settings.batch_size, settings.epochs, settings.precision


def fit_together(
    train: Source,
    tune: Source,
    classes: int,
    runs: Sequence[FitSettings],
    generator: torch.Generator,
    on_epoch: Callable[[int], None] | None = None,
) -> list[Fit | Diverged]:
    """The results of `fit` for each run with this `generator`, up to rounding.

    All runs start with the same weights and see the same minibatches. A run that diverges is dropped after that epoch.
    `on_epoch` gets the number of runs after each epoch. Raises ValueError where the runs differ in batch size, epochs
    or precision.
    """
    if len({shared(run) for run in runs}) != 1:
        raise ValueError("the runs differ in batch size, epochs or precision")
    start, outcomes = generator.get_state(), list[Fit | Diverged]()
    rows = max(min(runs[0].batch_size, len(train)), min(rows_at_a_time(train.width, classes), len(tune)))
    width = max(1, min(_MAX_WEIGHTS // train.width, _MAX_LOGITS // rows) // classes)
    for first in range(0, len(runs), width):
        generator.set_state(start)
        some = runs[first : first + width]
        logits = torch.empty(len(some) * classes * rows, dtype=train.dtype, device=train.device)
        together = _Together(train, tune, classes, some, generator, logits)
        with threads.for_product(min(runs[0].batch_size, len(train)), train.width, len(some) * classes):
            outcomes += together.fit(on_epoch or (lambda _: None))
    return outcomes


class _Together:
    """As many runs as fit into one matrix product. `active` holds the indices of those that have not diverged."""

    def __init__(
        self,
        train: Source,
        tune: Source,
        classes: int,
        runs: Sequence[FitSettings],
        generator: torch.Generator,
        logits: Tensor,
    ) -> None:
        self._train, self._tune, self._runs, self._generator = train, tune, runs, generator
        initial = SoftmaxRegression.initial(train.width, classes, generator).to(train.device, train.dtype)
        self._model = WideRegression.of(initial, len(runs))
        updates = math.ceil(len(train) / runs[0].batch_size)
        self._sgd = WideSGD(runs, runs[0].epochs * updates, self._model.weights)
        self._logits = logits
        self._rows = rows_at_a_time(train.width, classes)
        self._active = list(range(len(runs)))
        self._histories: list[list[Epoch]] = [[] for _ in runs]
        self._kept: list[Fit | Diverged | None] = [None] * len(runs)
        self._least = [math.inf] * len(runs)

    def fit(self, on_epoch: Callable[[int], None]) -> list[Fit | Diverged]:
        for number in range(1, self._runs[0].epochs + 1):
            trained = self._train_epoch() if self._active else []
            tuned = self._evaluate() if self._active else []
            self._record([Epoch(number, *pair) for pair in zip(trained, tuned, strict=True)], number)
            on_epoch(len(self._runs))
        assert all(kept is not None for kept in self._kept)
        return [kept for kept in self._kept if kept is not None]

    def _train_epoch(self) -> list[Quality]:
        sums = self._no_sums()
        for batch in self._train.minibatches(self._runs[0].batch_size, self._generator, ALONE):
            features = batch.features
            logits = self._model.logits(features, self._logits)
            labels = by_class(batch.labels, 1).expand(len(logits), -1, -1)
            _add(sums, *softmax_(logits, labels))
            subtract_(logits, labels)
            logits /= batch.size
            self._sgd.step(self._model, logits, features)
        return _qualities(sums, len(self._train))

    def _evaluate(self) -> list[Quality]:
        sums = self._no_sums()
        for block in self._tune.blocks(ALONE):
            for some in block.split(self._rows):
                logits = self._model.logits(some.features, self._logits)
                _add(sums, *softmax_(logits, by_class(some.labels, 1).expand(len(logits), -1, -1)))
        return _qualities(sums, len(self._tune))

    def _record(self, epochs: list[Epoch], number: int) -> None:
        """Record the epoch of each active run, keep the weights where its settings say so, and drop diverged runs."""
        going = []
        for place, (run, epoch) in enumerate(zip(self._active, epochs, strict=True)):
            history = self._histories[run]
            if not (math.isfinite(epoch.train.loss) and math.isfinite(epoch.tune.loss)):
                self._kept[run] = Diverged(number, history)
                continue
            going.append(place)
            history.append(epoch)
            last = self._runs[run].keep == "last"
            if number == self._runs[run].epochs if last else epoch.tune.loss < self._least[run]:
                self._least[run] = epoch.tune.loss
                self._kept[run] = Fit(self._model.run(place), number, history)
        if len(going) < len(self._active):
            rows = torch.tensor(going, dtype=torch.int64, device=self._model.weights.device)
            self._model = WideRegression(self._model.weights[rows], self._model.biases[rows])
            self._sgd.select(rows)
            self._active = [self._active[place] for place in going]

    def _no_sums(self) -> Tensor:
        """For the losses and right labels of each active run; float64, on the device, as in `training.fitting.fit`."""
        return torch.zeros(2, len(self._active), dtype=torch.float64, device=self._model.weights.device)


def _add(sums: Tensor, losses: Tensor, hits: Tensor) -> None:
    sums[0] += losses.sum(dim=1)
    sums[1] += hits.sum(dim=1)


def _qualities(sums: Tensor, count: int) -> list[Quality]:
    return [Quality(loss / count, hits / count) for loss, hits in sums.T.tolist()]
