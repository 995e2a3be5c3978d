"""Pictures that a fit sees moved by a pixel: the class of a picture does not depend on its exact place."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from service.contract.inputs import ImageInput, Kind
from training.errors import TrainingError
from training.fitting.examples import Examples, Minibatch, Source
from training.fitting.workers import ALONE, Workers

Picture = tuple[int, int, int]  # height, width, channels
_MOVES = [(1, -1), (1, 1), (2, -1), (2, 1)]  # axis of [B, H, W, C], step


def picture_of(kind: Kind) -> Picture:
    """The shape of a picture. Raises TrainingError where the inputs are no pictures."""
    if not isinstance(kind, ImageInput):
        raise TrainingError(
            f"--augment shift moves pictures by a pixel, and these inputs are {kind.name}: leave it out"
        )
    return kind.height, kind.width, kind.channels


@dataclass(frozen=True, slots=True)
class Shifted:
    """A source of pictures: in minibatches each stays or moves by a pixel to one of four sides; blocks stay."""

    source: Source
    picture: Picture  # the shape whose values, in this order, are the D features

    def __len__(self) -> int:
        return len(self.source)

    @property
    def width(self) -> int:
        """D, the number of features."""
        return self.source.width

    @property
    def device(self) -> torch.device:
        """The device of the examples and of the fit."""
        return self.source.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the features and of the fit."""
        return self.source.dtype

    def minibatches(self, size: int, generator: torch.Generator, workers: Workers = ALONE) -> Iterator[Minibatch]:
        """Those of the source. The moves of an epoch are drawn first, the same in all workers."""
        moves = torch.randint(1 + len(_MOVES), (len(self),), generator=generator, dtype=torch.uint8)
        batches = self.source.minibatches(size, generator, workers)
        for batch, drawn in zip(batches, torch.split(moves, size), strict=True):
            share = drawn[workers.share(batch.size)].to(self.device)
            pictures = batch.stored.view(len(batch), *self.picture).clone()
            for number, (axis, step) in enumerate(_MOVES):
                rows = (share == number).nonzero().squeeze(1)
                pictures.index_copy_(0, rows, moved(pictures.index_select(0, rows), axis, step))
            yield replace(batch, stored=pictures.flatten(1))

    def blocks(self, workers: Workers = ALONE) -> Iterator[Examples]:
        """Those of the source, in place."""
        return self.source.blocks(workers)


def moved(pictures: Tensor, axis: int, step: int) -> Tensor:
    """Pictures moved along an axis by a pixel, -1 or 1; the edge that moves in is repeated.

    >>> moved(torch.tensor([[1, 2, 3]]), 1, 1), moved(torch.tensor([[1, 2, 3]]), 1, -1)
    (tensor([[1, 1, 2]]), tensor([[2, 3, 3]]))
    """
    last = pictures.shape[axis] - 1
    rest, edge = pictures.narrow(axis, max(0, -step), last), pictures.narrow(axis, max(0, -step) * last, 1)
    return torch.cat([edge, rest] if step > 0 else [rest, edge], dim=axis)


def with_moved(examples: Examples, picture: Picture) -> Examples:
    """The examples, and after them copies that are moved by a pixel to each of the four sides: N -> 5 N."""
    stored = torch.cat([examples.stored, *moved_to_sides(examples.stored, picture)])
    return replace(examples, stored=stored, labels=torch.cat([examples.labels] * (1 + len(_MOVES))))


def moved_to_sides(features: Tensor, picture: Picture) -> Iterator[Tensor]:
    """Pictures `[N, D]` moved by a pixel to each of the four sides, one side after another.

    >>> [moved.tolist() for moved in moved_to_sides(torch.tensor([[1, 2, 3]]), (1, 3, 1))]
    [[[1, 2, 3]], [[1, 2, 3]], [[2, 3, 3]], [[1, 1, 2]]]
    """
    return (_moved_rows(features, picture, axis, step) for axis, step in _MOVES)


def _moved_rows(features: Tensor, picture: Picture, axis: int, step: int) -> Tensor:
    return moved(features.view(-1, *picture), axis, step).flatten(1)
