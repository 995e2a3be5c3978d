"""`make bench-data`: an epoch over embeddings in a file, beside one plain pass over it, and scikit-learn's epoch.

1,000,000 rows of 512 float32, 2 GB, in a memory map; minibatches of 1,024. The plain pass reads the file in order and
does the two products that a gradient needs, X @ W and X.T @ G, and nothing else: what any training has to do.
"""

import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import SGDClassifier

from service.inputs import FeaturesInput
from training import hardware
from training.data import Labelled
from training.fit import train_epoch
from training.inputs import FeatureEncoder
from training.recipes import TUNED
from training.regression import SoftmaxRegression
from training.sgd import SGD
from training.streaming import StreamedExamples

ROWS, WIDTH, CLASSES, BATCH, ROUNDS = 1_000_000, 512, 10, 1024, 3
_BLOCK = 50_000
_SKLEARN_BATCHES = 40  # of the 977: enough to know its rate


def write(path: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The rows, as a memory map, and their labels."""
    rng = np.random.default_rng(0)
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(ROWS, WIDTH))
    for start in range(0, ROWS, _BLOCK):
        rows[start : start + _BLOCK] = rng.standard_normal((_BLOCK, WIDTH), dtype=np.float32)
    rows.flush()
    return np.load(path, mmap_mode="r"), rng.integers(0, CLASSES, ROWS)


def plain_pass(rows: NDArray[np.float32]) -> None:
    """Read every row once, in order, and do the two products."""
    weights, error = torch.zeros(WIDTH, CLASSES), torch.ones(BATCH, CLASSES)
    for start in range(0, ROWS - BATCH, BATCH):
        batch = torch.from_numpy(np.array(rows[start : start + BATCH]))
        batch @ weights
        batch.T @ error


def epoch(rows: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """One epoch of the fit over rows in a drawn order, standardised as they are read."""
    part = Labelled("drawn", rows, labels).take(np.random.default_rng(1).permutation(ROWS))
    encoder = FeatureEncoder(FeaturesInput(width=WIDTH), np.zeros(WIDTH), np.ones(WIDTH))
    generator = torch.Generator().manual_seed(0)
    model = SoftmaxRegression.initial(WIDTH, CLASSES, generator)
    minibatches = StreamedExamples(part, encoder, torch.device("cpu")).minibatches(BATCH, generator)
    train_epoch(model, minibatches, SGD(TUNED.momentum, 0.0, None), itertools.repeat(TUNED.learning_rate))


def sklearn_epoch(rows: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """The first minibatches of scikit-learn's epoch, in order."""
    model = SGDClassifier(loss="log_loss")
    for start in range(0, _SKLEARN_BATCHES * BATCH, BATCH):
        model.partial_fit(rows[start : start + BATCH], labels[start : start + BATCH], classes=np.arange(CLASSES))


def seconds(run: Callable[[], None]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Measure in turn, print the least of each and the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        rows, labels = write(Path(folder) / "rows.npy")
        plain, ours, theirs = [], [], []
        for _ in range(ROUNDS):
            plain.append(seconds(lambda: plain_pass(rows)))
            ours.append(seconds(lambda: epoch(rows, labels)))
            theirs.append(seconds(lambda: sklearn_epoch(rows, labels)) * ROWS / (_SKLEARN_BATCHES * BATCH))
    print(f"{ROWS:,} x {WIDTH} float32, batch {BATCH}, least of {ROUNDS} rounds; {hardware.described()}")
    print(f"  a plain pass            {min(plain):6.1f} s")
    print(f"  an epoch                {min(ours):6.1f} s, {min(ours) / min(plain):.1f} plain passes")
    print(f"  scikit-learn, estimated {min(theirs):6.1f} s, {min(theirs) / min(ours):.1f} epochs of ours")


if __name__ == "__main__":
    main()
