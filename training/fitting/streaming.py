"""Examples that stay in their file: read some at a time, so that memory does not grow with the file."""

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
from training.fitting import shuffling
from training.fitting.examples import Examples, Minibatch
from training.fitting.workers import ALONE, Workers

_LARGEST_BYTE, _LARGEST_INT = 2**8 - 1, 2**31 - 1

_WILL_NEED = getattr(mmap, "MADV_WILLNEED", None)  # None where the platform has no such advice


class StreamedExamples:
    """N labelled examples in a memory map, read as the fit asks for them, in the order of the file or shuffled."""

    def __init__(
        self, part: Labelled, encoder: Encoder, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        self.encoder = encoder
        self.device = device
        self.dtype = dtype  # of the features
        self._base = part.base
        self._inputs = _over(part.base)  # [M, *row_shape]
        # [N], both in the order of the file, and in few bytes: of what is held here only they grow with it.
        self._rows, self._labels = _in_file_order(part)

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def width(self) -> int:
        """D, the number of features."""
        return self.encoder.width

    def minibatches(self, size: int, generator: torch.Generator, workers: Workers = ALONE) -> Iterator[Minibatch]:
        """Each example once, in a new order; every minibatch but the last has `size`. Only a share of it is read."""
        drawn = self._read_ahead(shuffling.groups(len(self), generator))
        for places in shuffling.minibatches(drawn, size, generator):
            share = self._read(places[workers.share(len(places))])
            yield Minibatch(share.features, share.labels, size=len(places))

    def blocks(self, workers: Workers = ALONE) -> Iterator[Examples]:
        """Each example of the share once, in the order of the file."""
        share = workers.share(len(self))
        places = torch.arange(share.start, share.stop)
        return map(self._read, self._read_ahead(torch.split(places, shuffling.CHUNK) if len(places) else ()))

    def _read(self, places: Tensor) -> Examples:
        """The examples at some places in the order of the file, int64 `[B]`."""
        inputs = self._inputs.index_select(0, self._rows.index_select(0, places))
        if inputs.is_floating_point():
            inputs = inputs.float()
        labels = self._labels.index_select(0, places).long()
        return Examples(self.encoder.features(inputs.numpy(), self.dtype), labels).to(self.device)

    def _read_ahead(self, drawn: Iterable[Tensor]) -> Iterator[Tensor]:
        """`drawn`, the file's pages for each of them asked for before the one before it is used."""
        before: Tensor | None = None
        for places in drawn:
            for chunk in torch.split(places, shuffling.CHUNK):
                will_need(self._base, int(self._rows[chunk[0]]), int(self._rows[chunk[-1]]))
            if before is not None:
                yield before
            before = places
        if before is not None:
            yield before


def _over(base: NDArray[Any]) -> Tensor:
    """The rows as a tensor over the same memory, which nothing here writes to: torch warns that it could."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return torch.from_numpy(np.asarray(base))


def _in_file_order(part: Labelled) -> tuple[Tensor, Tensor]:
    """The rows of `part`, rising, and their labels; a row has one. Sorting alone takes less than an argsort does."""
    rows = np.arange(len(part)) if part.rows is None else part.rows
    of_row = np.zeros(len(part.base), dtype=np.uint8 if part.labels.max(initial=0) <= _LARGEST_BYTE else np.int32)
    of_row[rows] = part.labels
    rising = torch.from_numpy(np.sort(rows.astype(np.int32 if len(of_row) <= _LARGEST_INT else np.int64)))
    return rising, torch.from_numpy(of_row).index_select(0, rising)


def will_need(base: NDArray[Any], first: int, last: int) -> None:
    """Have the rows `first` to `last` of `base` read in the background; nothing where it is no memory map."""
    mapped = getattr(base, "_mmap", None)
    if mapped is None or _WILL_NEED is None:
        return
    row_bytes = base.strides[0]
    start = base.ctypes.data - np.frombuffer(mapped, dtype=np.uint8).ctypes.data + first * row_bytes
    page = start - start % mmap.PAGESIZE  # advice begins on a page
    mapped.madvise(_WILL_NEED, page, start - page + (last - first + 1) * row_bytes)
