"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 70,000 grey pictures of clothes, 28x28, in ten classes."""

import hashlib
from pathlib import Path

import numpy as np

from service.contract.inputs import ImageInput
from training.data.dataset import Dataset, Labelled
from training.data.options import FASHION_MNIST
from training.data.sources.idx import IdxFile

NAME = FASHION_MNIST
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# Checksums of the unpacked content: the gzip bytes differ between sources.
TRAIN_IMAGES = IdxFile(
    "train-images-idx3-ubyte",
    (60_000, 28, 28),
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
)
TRAIN_LABELS = IdxFile(
    "train-labels-idx1-ubyte",
    (60_000,),
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
)
TEST_IMAGES = IdxFile(
    "t10k-images-idx3-ubyte",
    (10_000, 28, 28),
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
)
TEST_LABELS = IdxFile(
    "t10k-labels-idx1-ubyte",
    (10_000,),
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
)
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

INPUT = ImageInput(height=28, width=28)

REMEDY = (
    "Get the data by `demur fetch --data-dir FOLDER`, or by installing Debian's package "
    "dataset-fashion-mnist, and name their folder by --data-dir or DEMUR_DATA_DIR."
)


def load(folder: Path) -> Dataset:
    """Read and verify the four files in `folder`. Raises DataError."""
    return Dataset(
        name=NAME,
        input=INPUT,
        classes=CLASSES,
        fingerprint=hashlib.sha256("".join(file.sha256 for file in FILES).encode()).hexdigest(),
        train=_read(folder, "the official training images", TRAIN_IMAGES, TRAIN_LABELS),
        test=_read(folder, "the official test images", TEST_IMAGES, TEST_LABELS),
    )


def _read(folder: Path, source: str, images: IdxFile, labels: IdxFile) -> Labelled:
    return Labelled(source, images.read(folder, REMEDY), labels.read(folder, REMEDY).astype(np.int64))
