"""Labelled examples as a fit reads them: in memory, or in minibatches from any source."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from training.fitting.workers import ALONE, Workers


@dataclass(frozen=True, slots=True)
class Levels:
    """How bytes become features of `dtype` from 0 to 1: divided by `full_scale`."""

    full_scale: float
    dtype: torch.dtype


@dataclass(frozen=True, slots=True)
class Examples:
    """N labelled examples on one device: features, or bytes that become features when used.

    >>> Examples(torch.tensor([[51, 255]], dtype=torch.uint8), torch.tensor([0]), Levels(255.0, torch.float32)).features
    tensor([[0.2000, 1.0000]])
    """

    stored: Tensor  # [N, D], features, float32 or float64; or uint8, to be scaled as `levels` says
    labels: Tensor  # int64 [N]; or soft: of the features' dtype, [N, C], each row a distribution over the classes
    levels: Levels | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def features(self) -> Tensor:
        """Float32 or float64 `[N, D]`; computed each time where bytes are stored."""
        multiples, unit = self.multiples
        return multiples if self.levels is None else multiples.div_(unit)

    @property
    def multiples(self) -> tuple[Tensor, float]:
        """The features times a number, and the number. From bytes this takes half the time of the features."""
        if self.levels is None:
            return self.stored, 1.0
        return self.stored.to(self.levels.dtype), self.levels.full_scale

    @property
    def width(self) -> int:
        """D, the number of features."""
        return self.stored.shape[1]

    @property
    def classes(self) -> Tensor:
        """The class of each example, int64 `[N]`; the likeliest one of a soft label."""
        return self.labels.argmax(dim=1) if self.labels.is_floating_point() else self.labels

    @property
    def device(self) -> torch.device:
        """The device of the examples and of the fit."""
        return self.stored.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the features and of the fit."""
        return self.stored.dtype if self.levels is None else self.levels.dtype

    def to(self, device: torch.device) -> "Examples":
        """The same examples on another device."""
        return Examples(self.stored.to(device), self.labels.to(device), self.levels)

    def take(self, rows: Tensor) -> "Examples":
        """The examples at `rows`, in that order."""
        return Examples(self.stored.index_select(0, rows), self.labels.index_select(0, rows), self.levels)

    def split(self, size: int) -> Iterator["Examples"]:
        """All, in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield Examples(self.stored[start : start + size], self.labels[start : start + size], self.levels)

    def minibatches(self, size: int, generator: torch.Generator, workers: Workers = ALONE) -> Iterator["Minibatch"]:
        """Each example once, in a random order from `generator`, on the CPU; the last minibatch may be smaller."""
        order = torch.randperm(len(self), generator=generator).to(self.device)
        for rows in torch.split(order, size):
            yield self.minibatch(rows, workers)

    def minibatch(self, rows: Tensor, workers: Workers = ALONE) -> "Minibatch":
        """This worker's share of the examples at `rows`."""
        share = self.take(rows[workers.share(len(rows))])
        return Minibatch(share.stored, share.labels, share.levels, size=len(rows))

    def blocks(self, workers: Workers = ALONE) -> Iterator["Examples"]:
        """All of this worker's share, in order."""
        share = workers.share(len(self))
        if share.start < share.stop:
            yield Examples(self.stored[share], self.labels[share], self.levels)


@dataclass(frozen=True, slots=True)
class Minibatch(Examples):
    """This worker's share of a minibatch: all of it for a single worker, possibly none among many."""

    size: int = field(kw_only=True)  # of the minibatch over all workers


class Source(Protocol):
    """Labelled examples, in memory or in a file, that a fit reads in minibatches."""

    def __len__(self) -> int: ...

    @property
    def width(self) -> int:
        """D, the number of features."""
        ...

    @property
    def device(self) -> torch.device:
        """The device of the examples and of the fit."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the features and of the fit."""
        ...

    def minibatches(self, size: int, generator: torch.Generator, workers: Workers) -> Iterator[Minibatch]:
        """Each example once, in a new order; of each minibatch this worker's share.

        All workers draw the same numbers from `generator`, on the CPU, and none after the last minibatch.
        """
        ...

    def blocks(self, workers: Workers) -> Iterator[Examples]:
        """Each example of this worker's share once, always in the same order; no block is empty."""
        ...
