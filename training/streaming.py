"""Examples that stay in their file: read some at a time, so that memory does not grow with the file.

The rows are cut into chunks in the order of the file. An epoch takes the chunks in an order of its own, some at once,
and shuffles the rows among those: a minibatch holds rows of several places of the file, other ones each epoch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from training.data import Labelled
from training.fit import Examples
from training.inputs.encoder import Encoder

CHUNK = 2048  # rows that are neighbours in the file
_CHUNKS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class StreamedExamples:
    """N labelled examples in a file, read as the fit asks for them."""

    part: Labelled
    encoder: Encoder
    device: torch.device

    def __len__(self) -> int:
        return len(self.part)

    @property
    def width(self) -> int:
        """D, the number of features."""
        return self.encoder.width

    def minibatches(self, size: int, generator: torch.Generator) -> Iterator[Examples]:
        """Each example once, in a new order; every minibatch but the last has `size`."""
        left: Examples | None = None  # what did not fill a minibatch
        for group in self._groups(generator):
            read = self._read(group)
            order = torch.randperm(len(read), generator=generator)
            start = 0
            if left is not None and len(left):
                start = min(size - len(left), len(read))
                left = _joined(left, read.take(order[:start]))
                if len(left) < size:
                    continue
                yield left.to(self.device)
            while start + size <= len(read):
                yield read.take(order[start : start + size]).to(self.device)
                start += size
            left = read.take(order[start:])
        if left is not None and len(left):
            yield left.to(self.device)

    def blocks(self) -> Iterator[Examples]:
        """Each example once, in order."""
        for start in range(0, len(self), CHUNK):
            yield self._read(np.arange(start, min(start + CHUNK, len(self)))).to(self.device)

    def _groups(self, generator: torch.Generator) -> Iterator[np.ndarray]:
        """The examples' numbers, some chunks of the file at once."""
        rows = self.part.rows
        in_file_order = np.arange(len(self)) if rows is None else np.argsort(rows, kind="stable")
        starts = torch.randperm(-(-len(self) // CHUNK), generator=generator).numpy() * CHUNK
        for first in range(0, len(starts), _CHUNKS_AT_ONCE):
            chunks = np.sort(starts[first : first + _CHUNKS_AT_ONCE])
            yield np.concatenate([in_file_order[start : start + CHUNK] for start in chunks])

    def _read(self, numbers: np.ndarray) -> Examples:
        labels = torch.from_numpy(self.part.labels[numbers])
        return Examples(self.encoder.features(self.part.read(numbers)), labels)


def _joined(first: Examples, second: Examples) -> Examples:
    return Examples(torch.cat([first.features, second.features]), torch.cat([first.labels, second.labels]))
