"""The features of a part of the data, a block at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from training.data.dataset import Labelled
from training.data.encoders.encoder import Encoder


@dataclass(frozen=True, slots=True)
class Encoded:
    """Features of N examples, `[B, D]` at a time: made anew each time that they are gone through."""

    part: Labelled
    encoder: Encoder
    dtype: torch.dtype = torch.float32

    def __iter__(self) -> Iterator[Tensor]:
        return (self.encoder.features(block, self.dtype) for block in self.part.blocks())
