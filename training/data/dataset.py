"""Labelled examples, and data sets of them: the result of reading any form of data."""

import dataclasses
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import Kind

BLOCK = 4096  # rows that are processed together
_BLOCK_NUMBERS = 2**23  # at most so many numbers in a block


@dataclass(frozen=True, slots=True)
class Labelled:
    """N inputs of one kind and their labels.

    A selection from a memory map stays in the file until it is read.
    """

    source: str  # where the examples come from, in words
    base: NDArray[Any]  # [M, *row_shape], uint8, int64, or numbers of any type that are read as float32
    labels: NDArray[np.int64]  # [N], indices into the class names
    rows: NDArray[np.int64] | None = None  # [N], which rows of `base`; None: all, in order
    # [N], the group of each example, numbered over the whole pool; None: all examples are independent. A group is a
    # set of examples that are not independent of one another: the rows of one patient, or copies kept together.
    groups: NDArray[np.int64] | None = None
    are_numbers: bool = False  # whether whole numbers in `base` are read as float32, as floats are

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def inputs(self) -> NDArray[Any]:
        """All inputs in memory, `[N, *row_shape]`."""
        return self.read(slice(None))

    def read(self, which: slice | NDArray[np.int64]) -> NDArray[Any]:
        """Some of the inputs in memory, in the order of `which`; numbers of any type as float32."""
        inputs = np.asarray(self.base[which] if self.rows is None else self.base[self.rows[which]])
        return inputs.astype(np.float32, copy=False) if self.as_float32 else inputs

    @property
    def as_float32(self) -> bool:
        """Whether the inputs are read as float32; else as they are stored."""
        return self.are_numbers or self.base.dtype.kind == "f"

    def take(self, indices: NDArray[np.int64]) -> "Labelled":
        """The examples at `indices`, in that order."""
        labels = self.labels[indices]
        groups = None if self.groups is None else self.groups[indices]
        if isinstance(self.base, np.memmap):
            rows = indices if self.rows is None else self.rows[indices]
            return dataclasses.replace(self, labels=labels, rows=rows, groups=groups)
        return dataclasses.replace(self, base=self.base[indices], labels=labels, groups=groups)

    def blocks(self, width: int = 1) -> Iterator[NDArray[Any]]:
        """The inputs in order, in blocks; blocks are smaller if each input becomes `width` > 1 numbers."""
        size = max(1, min(BLOCK, _BLOCK_NUMBERS // max(width, math.prod(self.base.shape[1:]))))
        for start in range(0, len(self), size):
            yield self.read(slice(start, start + size))

    def fingerprint(self) -> str:
        """SHA-256, in hex, of the inputs' bytes followed by the labels' as little-endian int64."""
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(np.ascontiguousarray(block).data)
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class LabelledData:
    """The properties of every data set, however it is split."""

    name: str
    input: Kind
    classes: tuple[str, ...]
    fingerprint: str  # SHA-256 of the checksums of its files, or of their content


@dataclass(frozen=True, slots=True)
class Dataset(LabelledData):
    """A data set whose source keeps training and test examples apart."""

    train: Labelled
    test: Labelled
