"""What every form of data becomes: inputs with labels, in the parts that their source keeps apart."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import Kind

BLOCK = 4096  # rows that are looked at together, and fewer where they hold
_BLOCK_NUMBERS = 2**23  # more numbers than these


@dataclass(frozen=True, slots=True)
class Labelled:
    """N inputs of one kind and their labels, and in words where they are from.

    What is taken of a memory map stays in the file until it is read.
    """

    source: str
    base: NDArray[Any]  # [M, *row_shape], uint8, int64, or floats of any width
    labels: NDArray[np.int64]  # [N], indices into the class names
    rows: NDArray[np.int64] | None = None  # [N], which rows of `base`; None: all, in order
    # [N], the group of each example, numbered over the whole pool; None: all examples are independent. A group is a
    # set of examples that are not independent of one another: the rows of one patient, or copies kept together.
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def inputs(self) -> NDArray[Any]:
        """All inputs in memory, `[N, *row_shape]`."""
        return self.read(slice(None))

    def read(self, which: slice | NDArray[np.int64]) -> NDArray[Any]:
        """Some of the inputs in memory, in the order asked for: whole numbers as they are, all floats as float32."""
        found = np.asarray(self.base[which] if self.rows is None else self.base[self.rows[which]])
        return found.astype(np.float32, copy=False) if found.dtype.kind == "f" else found

    def take(self, indices: NDArray[np.int64]) -> "Labelled":
        """The examples at `indices`, in that order."""
        labels = self.labels[indices]
        groups = None if self.groups is None else self.groups[indices]
        if isinstance(self.base, np.memmap):
            rows = indices if self.rows is None else self.rows[indices]
            return Labelled(self.source, self.base, labels, rows, groups)
        return Labelled(self.source, self.base[indices], labels, groups=groups)

    def blocks(self, width: int = 1) -> Iterator[NDArray[Any]]:
        """The inputs in order, a block at a time: the smaller, the more numbers, `width`, are made of each."""
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
    """What every data set has, however its splits come about."""

    name: str
    input: Kind
    classes: tuple[str, ...]
    fingerprint: str  # SHA-256 over the checksums of its files, or of what was read from them


@dataclass(frozen=True, slots=True)
class Dataset(LabelledData):
    """A data set whose source keeps training and test examples apart."""

    train: Labelled
    test: Labelled
