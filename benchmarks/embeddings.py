"""Made embeddings in a file, and an epoch of the fit over them as the training job reads them."""

import itertools
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from service.contract.inputs import FeaturesInput
from training.data.dataset import Labelled
from training.data.encoders import FeatureEncoder
from training.fitting.fit import train_epoch
from training.fitting.recipes import TUNED
from training.fitting.regression import SoftmaxRegression
from training.fitting.sgd import SGD
from training.fitting.streaming import StreamedExamples

CLASSES = 10
_BLOCK = 50_000


def write(folder: Path, count: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Write noise to `rows.npy`, and to `labels.npy` the index of the largest of its first ten numbers."""
    rng = np.random.default_rng(0)
    rows = np.lib.format.open_memmap(folder / "rows.npy", mode="w+", dtype=np.float32, shape=(count, width))
    labels = np.empty(count, dtype=np.int64)
    for start in range(0, count, _BLOCK):
        block = rng.standard_normal((min(_BLOCK, count - start), width), dtype=np.float32)
        rows[start : start + _BLOCK] = block
        labels[start : start + _BLOCK] = block[:, :CLASSES].argmax(axis=1)
    rows.flush()
    np.save(folder / "labels.npy", labels)
    return np.load(folder / "rows.npy", mmap_mode="r"), labels


def streamed(rows: NDArray[np.float32], labels: NDArray[np.int64]) -> StreamedExamples:
    """All of them in random order, standardised while they are read."""
    part = Labelled("drawn", rows, labels).take(np.random.default_rng(1).permutation(len(rows)))
    width = rows.shape[1]
    encoder = FeatureEncoder(FeaturesInput(width=width), np.zeros(width), np.ones(width))
    return StreamedExamples(part, encoder, torch.device("cpu"))


def epoch(source: StreamedExamples, batch: int) -> None:
    """One epoch of the fit over them."""
    generator = torch.Generator().manual_seed(0)
    model = SoftmaxRegression.initial(source.width, CLASSES, generator)
    sgd = SGD(TUNED.momentum, TUNED.weight_decay, TUNED.clip_norm)
    train_epoch(model, source.minibatches(batch, generator), sgd, itertools.repeat(TUNED.learning_rate))


def reading(source: StreamedExamples, batch: int) -> None:
    """The part of an epoch without computation: drawing, reading and standardising."""
    for _ in source.minibatches(batch, torch.Generator().manual_seed(0)):
        pass
