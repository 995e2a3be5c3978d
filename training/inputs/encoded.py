"""The features of a part of the data, a block at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from training.data import Labelled
from training.inputs.encoder import Encoder


@dataclass(frozen=True, slots=True)
class Encoded:
    """Features of N examples, float32 `[B, D]` at a time: made anew each time that they are gone through."""

    part: Labelled
    encoder: Encoder

    def __iter__(self) -> Iterator[Tensor]:
        return map(self.encoder.features, self.part.blocks())
