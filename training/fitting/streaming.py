"""Examples that stay in their file: read a few chunks at a time, so that memory does not grow with the file.

An epoch takes the chunks of the file in random order, a group of them at once, and shuffles the examples of a group. So
a minibatch mixes examples from several places of the file, and other ones each epoch. The order depends on the
generator, the number of examples and the minibatch size alone.
"""

import mmap
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.dataset import Labelled
from training.data.encoders.encoder import Encoder
from training.fitting.examples import Examples, Minibatch
from training.fitting.workers import ALONE, Workers

CHUNK = 2048  # examples that are neighbours in the file
_CHUNKS_IN_GROUP = 16
_MAX_BYTE, _MAX_INT = 2**8 - 1, 2**31 - 1

_WILL_NEED = getattr(mmap, "MADV_WILLNEED", None)  # None where the platform has no such advice


class StreamedExamples:
    """N labelled examples in a memory map, read as the fit needs them, shuffled or in the order of the file."""

    def __init__(
        self, part: Labelled, encoder: Encoder, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        self.encoder = encoder
        self.device = device
        self.dtype = dtype  # of the features
        self._base, self._as_float32 = part.base, part.as_float32
        self._inputs = _as_tensor(part.base)  # [M, *row_shape]
        # [N], both in the order of the file. They are all that grows with the file, so they take few bytes.
        self._rows, self._labels = _in_file_order(part)

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def width(self) -> int:
        """D, the number of features."""
        return self.encoder.width

    def minibatches(self, size: int, generator: torch.Generator, workers: Workers = ALONE) -> Iterator[Minibatch]:
        """Each example once, in a new order; all minibatches but the last have `size`. Reads this worker's share."""
        groups = self._read_ahead(shuffled_groups(len(self), generator))
        for places in shuffled_minibatches(groups, size, generator):
            share = self._read(places[workers.share(len(places))])
            yield Minibatch(share.features, share.labels, size=len(places))

    def blocks(self, workers: Workers = ALONE) -> Iterator[Examples]:
        """Each example of the share once, in the order of the file."""
        share = workers.share(len(self))
        places = torch.arange(share.start, share.stop)
        return map(self._read, self._read_ahead(torch.split(places, CHUNK) if len(places) else ()))

    def _read(self, places: Tensor) -> Examples:
        """The examples at places in the order of the file, int64 `[B]`."""
        inputs = self._inputs.index_select(0, self._rows.index_select(0, places))
        if self._as_float32:
            inputs = inputs.float()
        labels = self._labels.index_select(0, places).long()
        return Examples(self.encoder.features(inputs.numpy(), self.dtype), labels).to(self.device)

    def _read_ahead(self, groups: Iterable[Tensor]) -> Iterator[Tensor]:
        """The `groups`. The pages of each are requested before the group before it is used."""
        previous: Tensor | None = None
        for places in groups:
            for chunk in torch.split(places, CHUNK):
                will_need(self._base, int(self._rows[chunk[0]]), int(self._rows[chunk[-1]]))
            if previous is not None:
                yield previous
            previous = places
        if previous is not None:
            yield previous


def shuffled_groups(count: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The places 0 to `count` - 1, each in one group: groups of random chunks, int64 `[G]`, rising within a group."""
    starts = torch.randperm(-(-count // CHUNK), generator=generator) * CHUNK
    for chunks in torch.split(starts, _CHUNKS_IN_GROUP):
        yield torch.cat([torch.arange(start, min(start + CHUNK, count)) for start in chunks.sort().values.tolist()])


def shuffled_minibatches(groups: Iterable[Tensor], size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The places of each minibatch, int64 `[size]`, rising; the last may be smaller.

    Each group is shuffled; what does not fill a minibatch goes into the first of the next group. The order within a
    minibatch does not change its gradient, and a file is read fastest in rising order.

    >>> generator = torch.Generator().manual_seed(0)
    >>> [batch.tolist() for batch in shuffled_minibatches(shuffled_groups(5, generator), 2, generator)]
    [[0, 4], [1, 3], [2]]
    """
    rest = torch.empty(0, dtype=torch.int64)
    for group in groups:
        order = torch.randperm(len(group), generator=generator)
        *full, rest = torch.split(torch.cat([rest, group[order]]), size)
        if len(rest) == size:
            full, rest = [*full, rest], rest[:0]
        yield from (batch.sort().values for batch in full)
    if len(rest):
        yield rest.sort().values


def will_need(base: NDArray[Any], first: int, last: int) -> None:
    """Have the rows `first` to `last` of `base` read in the background. Does nothing where it is no memory map."""
    mapped = getattr(base, "_mmap", None)
    if mapped is None or _WILL_NEED is None:
        return
    row_bytes = base.strides[0]
    start = base.ctypes.data - np.frombuffer(mapped, dtype=np.uint8).ctypes.data + first * row_bytes
    page = start - start % mmap.PAGESIZE  # advice begins on a page
    mapped.madvise(_WILL_NEED, page, start - page + (last - first + 1) * row_bytes)


def _as_tensor(base: NDArray[Any]) -> Tensor:
    """A tensor over the same memory. Nothing writes to it; torch warns that one could."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return torch.from_numpy(np.asarray(base))


def _in_file_order(part: Labelled) -> tuple[Tensor, Tensor]:
    """The rows of `part`, rising, and their labels. Sorts the rows alone: an argsort takes more memory."""
    rows = np.arange(len(part)) if part.rows is None else part.rows
    of_row = np.zeros(len(part.base), dtype=np.uint8 if part.labels.max(initial=0) <= _MAX_BYTE else np.int32)
    of_row[rows] = part.labels
    rising = torch.from_numpy(np.sort(rows.astype(np.int32 if len(of_row) <= _MAX_INT else np.int64)))
    return rising, torch.from_numpy(of_row).index_select(0, rising)
