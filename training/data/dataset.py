"""What every form of data becomes: inputs with labels, in the parts that their source keeps apart."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.inputs import FeaturesInput, ImageInput

BLOCK = 4096  # rows that are looked at together


@dataclass(frozen=True, slots=True)
class Labelled:
    """N inputs of one kind and their labels, and in words where they are from."""

    source: str
    inputs: NDArray[Any]  # [N, *row_shape] in the kind's dtype
    labels: NDArray[np.int64]  # [N], indices into the class names

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> "Labelled":
        """The examples at `indices`, in that order."""
        return Labelled(self.source, self.inputs[indices], self.labels[indices])

    def blocks(self) -> Iterator[NDArray[Any]]:
        """The inputs in order, a block at a time."""
        for start in range(0, len(self), BLOCK):
            yield self.inputs[start : start + BLOCK]

    def fingerprint(self) -> str:
        """SHA-256, in hex, of the inputs' bytes followed by the labels' as little-endian int64."""
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(np.ascontiguousarray(block).data)
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set whose source keeps training and test examples apart."""

    name: str
    input: ImageInput | FeaturesInput
    classes: tuple[str, ...]
    fingerprint: str  # SHA-256 over the checksums of its files
    train: Labelled
    test: Labelled
