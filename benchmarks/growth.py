"""`make bench-data`: how the time of an epoch and of a complete fit grows with the number of rows.

Rows of 32 float32 in a file, 10,000 to 10,000,000 of them, minibatches of 256, as in the recipe. A complete fit is
one epoch and everything else that `fit` does: scan, splits, certificates, proof, publication.
"""

import tempfile
from pathlib import Path

from benchmarks import embeddings
from benchmarks.timing import seconds
from benchmarks.whole_fit import whole_fit
from training.reporting import hardware

ROWS, WIDTH, BATCH = (10_000, 100_000, 1_000_000, 10_000_000), 32, 256
_ROUNDS = 10  # for the minimum time of an epoch; fewer with many rows


def measure(count: int) -> tuple[float, float]:
    """Seconds of an epoch and of a complete fit."""
    with tempfile.TemporaryDirectory() as folder:
        source = embeddings.streamed(*embeddings.write(Path(folder), count, WIDTH))
        rounds = max(2, min(_ROUNDS, ROWS[-2] // count))
        epoch = min(seconds(lambda: embeddings.epoch(source, BATCH)) for _ in range(rounds))
        return epoch, whole_fit(Path(folder), "--batch-size", str(BATCH))[0]


def main() -> None:
    """Measure and print a line for each number of rows, with the growth of the time from the line before."""
    print(f"rows of {WIDTH} float32, one epoch, batch {BATCH}; {hardware.described()}")
    print(f"{'rows':>12}  {'epoch, s':>9} {'us/row':>7} {'growth':>7}  {'fit, s':>9} {'us/row':>7} {'growth':>7}")
    before: tuple[float, float] | None = None
    for count in ROWS:
        times = measure(count)
        growth = ["", ""] if before is None else [f"{t / b:.1f} x" for t, b in zip(times, before, strict=True)]
        columns = [f"{t:9.3f} {t / count * 1e6:7.2f} {g:>7}" for t, g in zip(times, growth, strict=True)]
        print(f"{count:>12,}  {'  '.join(columns)}", flush=True)
        before = times


if __name__ == "__main__":
    main()
