"""Examples that stay in their file: read some at a time, so that memory does not grow with the file.

The rows are cut into chunks in the order of the file. An epoch takes the chunks in an order of its own, some at once,
and shuffles the rows among those: a minibatch holds rows of several places of the file, other ones each epoch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from training.data import Labelled
from training.fit import Examples, Minibatch
from training.inputs.encoder import Encoder
from training.workers import ALONE, Workers

CHUNK = 2048  # rows that are neighbours in the file
_CHUNKS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class StreamedExamples:
    """N labelled examples in a file, read as the fit asks for them."""

    part: Labelled
    encoder: Encoder
    device: torch.device
    dtype: torch.dtype = torch.float32  # of the features

    def __len__(self) -> int:
        return len(self.part)

    @property
    def width(self) -> int:
        """D, the number of features."""
        return self.encoder.width

    def minibatches(self, size: int, generator: torch.Generator, workers: Workers = ALONE) -> Iterator[Minibatch]:
        """Each example once, in a new order; every minibatch but the last has `size`. Only a share of it is read."""
        for numbers in self._drawn(size, generator):
            share = self._read(numbers[workers.share(len(numbers))]).to(self.device)
            yield Minibatch(share.features, share.labels, len(numbers))

    def blocks(self, workers: Workers = ALONE) -> Iterator[Examples]:
        """Each example of the share once, in order."""
        share = workers.share(len(self))
        for start in range(share.start, share.stop, CHUNK):
            yield self._read(np.arange(start, min(start + CHUNK, share.stop))).to(self.device)

    def _drawn(self, size: int, generator: torch.Generator) -> Iterator[np.ndarray]:
        """The examples' numbers, a minibatch at a time, each in the order of the file."""
        left = np.empty(0, dtype=np.int64)  # what did not fill a minibatch
        for group in self._groups(generator):
            drawn = np.concatenate([left, group[torch.randperm(len(group), generator=generator).numpy()]])
            whole = len(drawn) - len(drawn) % size
            for start in range(0, whole, size):
                yield self._in_file_order(drawn[start : start + size])
            left = drawn[whole:]
        if len(left):
            yield self._in_file_order(left)

    def _in_file_order(self, numbers: np.ndarray) -> np.ndarray:
        rows = self.part.rows
        return np.sort(numbers) if rows is None else numbers[np.argsort(rows[numbers])]

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
        return Examples(self.encoder.features(self.part.read(numbers), self.dtype), labels)
