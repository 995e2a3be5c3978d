"""What every form of data becomes: images with labels, in the parts that their source keeps apart."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """N images and their labels, and in words where they are from."""

    source: str
    images: NDArray[np.uint8]  # [N, H, W]
    labels: NDArray[np.int64]  # [N], indices into the class names

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> "LabelledImages":
        """The examples at `indices`, in that order."""
        return LabelledImages(self.source, self.images[indices], self.labels[indices])

    def fingerprint(self) -> str:
        """SHA-256, in hex, of the images' bytes followed by the labels' as little-endian int64."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set whose source keeps training and test examples apart."""

    name: str
    classes: tuple[str, ...]
    fingerprint: str  # SHA-256 over the checksums of its files
    train: LabelledImages
    test: LabelledImages
