"""`make bench-data`: an epoch over embeddings in a file, against one plain pass over it, and scikit-learn's epoch.

1,000,000 rows of 512 float32, 2 GB, in a memory map; minibatches of 1,024. The plain pass reads the file in order and
computes the two products that a gradient needs, X @ W and X.T @ G, and nothing else: the minimum for any training. It
runs twice: with the products as written here, and with the second one as the fit computes it, (G.T @ X).T, which is
faster. Then a complete `fit` of the same file, and the memory that it takes.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import SGDClassifier

from benchmarks import embeddings
from benchmarks.embeddings import CLASSES
from benchmarks.timing import wall_and_processor
from benchmarks.whole_fit import whole_fit
from training.reporting import hardware

ROWS, WIDTH, BATCH, ROUNDS = 1_000_000, 512, 1024, 5
_SKLEARN_BATCHES = 40  # of the 977: enough to know its rate


def plain_pass(rows: NDArray[np.float32], *, transposed: bool) -> None:
    """Read every row once, in order, and compute the two products."""
    weights, error = torch.zeros(WIDTH, CLASSES), torch.ones(BATCH, CLASSES)
    for start in range(0, ROWS - BATCH, BATCH):
        batch = torch.from_numpy(np.array(rows[start : start + BATCH]))
        batch @ weights
        if transposed:
            error.T @ batch
        else:
            batch.T @ error


def sklearn_epoch(rows: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """The first minibatches of scikit-learn's epoch, in order."""
    model = SGDClassifier(loss="log_loss")
    for start in range(0, _SKLEARN_BATCHES * BATCH, BATCH):
        model.partial_fit(rows[start : start + BATCH], labels[start : start + BATCH], classes=np.arange(CLASSES))


def main() -> None:
    """Measure in turn, print the minimum of each and the ratios, in wall time and processor time."""
    with tempfile.TemporaryDirectory() as folder:
        rows, labels = embeddings.write(Path(folder), ROWS, WIDTH)
        source = embeddings.streamed(rows, labels)
        runs = {
            "plain": lambda: plain_pass(rows, transposed=False),
            "transposed": lambda: plain_pass(rows, transposed=True),
            "epoch": lambda: embeddings.epoch(source, BATCH),
            "reading": lambda: embeddings.reading(source, BATCH),
            "sklearn": lambda: sklearn_epoch(rows, labels),
        }
        rounds = [{name: wall_and_processor(run) for name, run in runs.items()} for _ in range(ROUNDS)]
        time, memory = whole_fit(Path(folder))
    print(f"{ROWS:,} x {WIDTH} float32, batch {BATCH}, least of {ROUNDS} rounds; {hardware.described()}")
    for place, clock in enumerate(("by the clock", "processor time")):
        least = {name: min(times[name][place] for times in rounds) for name in runs}
        sklearn = least["sklearn"] * ROWS / (_SKLEARN_BATCHES * BATCH)
        print(clock)
        print(f"  a plain pass            {least['plain']:6.2f} s")
        print(f"  with (G.T @ X).T        {least['transposed']:6.2f} s")
        print(
            f"  an epoch                {least['epoch']:6.2f} s, {least['epoch'] / least['plain']:.2f} plain passes, "
            f"{least['epoch'] / least['transposed']:.2f} with (G.T @ X).T"
        )
        print(f"    of it drawing, reading and standardising {least['reading']:.2f} s")
        print(f"  scikit-learn, estimated {sklearn:6.2f} s, {sklearn / least['epoch']:.1f} epochs of ours")
    print(f"a complete fit of one epoch, batch 256: {time:.1f} s, at most {memory:.0f} MB above the imports")


if __name__ == "__main__":
    main()
