"""`make bench-score`: rows of 512 float32 scored from a Parquet file, against onnxruntime alone on rows in memory.

10,000,000 rows, 20 GB on disk under `build/` at a time (`ROWS=` changes that), once as fixed_size_binary and once as
lists. The file is out of the page cache when scoring starts. onnxruntime alone scores a block of 131,072 rows in memory
repeatedly, before and after, without converting, checking or writing anything; the best of its batch sizes and ways to
use the cores counts. The model is fitted on 20,000 rows of ten classes.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from service.inference.classifier import Classifier
from service.scoring.files import Source
from training.reporting import hardware

WIDTH, CLASSES, BLOCK = 512, 10, 131_072
BATCHES = (256, 1024, 4096)
SECONDS = 3.0  # for each way to call onnxruntime
FORMS = ("fixed_size_binary", "list")


@dataclass(frozen=True, slots=True)
class Rate:
    """The speed of one run."""

    name: str
    rows: int
    seconds: float
    cpu_seconds: float

    def __str__(self) -> str:
        return (
            f"{self.rows / self.seconds:>10,.0f} rows/s, {self.rows / self.cpu_seconds:>9,.0f} rows/CPU-second"
            f"  {self.name}"
        )


def embeddings(count: int, noise: NDArray[np.float32], seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows around ten overlapping centres, and the number of the centre of each."""
    centres = np.random.default_rng(0).standard_normal((CLASSES, WIDTH), dtype=np.float32) * 0.1
    labels = np.random.default_rng((1, seed)).integers(0, CLASSES, count)
    return centres[labels] + noise[:count], labels


def drawn(count: int) -> NDArray[np.float32]:
    """The differences between rows and their centres."""
    return np.random.default_rng(2).standard_normal((count, WIDTH), dtype=np.float32)


def fitted(folder: Path) -> Path:
    """A model fitted on such rows by the training job."""
    rows, labels = embeddings(20_000, drawn(20_000), 0)
    np.save(folder / "x.npy", rows)
    np.save(folder / "y.npy", labels)
    command = [sys.executable, "-m", "training", "fit", "--data", str(folder / "x.npy")]
    command += ["--labels", str(folder / "y.npy"), "--epochs", "2", "--out", str(folder / "model.onnx")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "model.onnx"


def write(path: Path, rows: int, form: str) -> None:
    """Write the file, synced and out of the page cache; uncompressed, since random numbers do not compress."""
    kind = pa.binary(4 * WIDTH) if form == "fixed_size_binary" else pa.list_(pa.float32(), WIDTH)
    noise = drawn(min(BLOCK, rows))  # reused in each block: drawing it anew would take longer than everything else
    schema = pa.schema([("id", pa.int64()), ("embedding", kind)])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for start in range(0, rows, BLOCK):
            block, _ = embeddings(min(BLOCK, rows - start), noise, start + 1)
            writer.write_table(pa.table([pa.array(np.arange(start, start + len(block))), _array(block, kind)], schema))
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _array(block: NDArray[np.float32], kind: pa.DataType) -> pa.Array:
    if pa.types.is_fixed_size_binary(kind):
        return pa.FixedSizeBinaryArray.from_buffers(kind, len(block), [None, pa.py_buffer(block)])
    return pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), WIDTH)


def alone(model: Path) -> Rate:
    """The best rate of onnxruntime with a block in memory."""
    block, _ = embeddings(BLOCK, drawn(BLOCK), 1)
    cores = len(os.sched_getaffinity(0))
    return max(_ways(model, block, cores), key=lambda rate: rate.rows / rate.seconds)


def _ways(model: Path, block: NDArray[np.float32], cores: int) -> Iterator[Rate]:
    wide, narrow = Classifier.load(model, intra_op_threads=cores), Classifier.load(model)
    with ThreadPoolExecutor(cores) as pool:
        for size in BATCHES:
            batches = [block[start : start + size] for start in range(0, BLOCK, size)]
            yield _timed(f"one call at a time, {cores} threads in it, batch {size}", wide, batches, None)
            yield _timed(f"{cores} calls at a time, batch {size}", narrow, batches, pool)


def _timed(name: str, model: Classifier, batches: list[NDArray[np.float32]], pool: ThreadPoolExecutor | None) -> Rate:
    rows, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < SECONDS:
        for _ in map(model.scores, batches) if pool is None else pool.map(model.scores, batches):
            pass
        rows += BLOCK
    return Rate(name, rows, time.perf_counter() - start, time.process_time() - cpu)


def reading(path: Path) -> Rate:
    """The rate of one thread that only reads at most a million rows of the file."""
    source = Source.open(path)
    groups = range(min(len(source.groups), 8))
    start, cpu = time.perf_counter(), time.process_time()
    rows = sum(batch.num_rows for _, batch in source.batches(groups, source.batch_rows))
    return Rate("reading alone, one thread", rows, time.perf_counter() - start, time.process_time() - cpu)


def scored(model: Path, source: Path, target: Path, rows: int) -> tuple[Rate, int]:
    """The rate of the command on a file, from start to end, and its peak memory in MB."""
    command = [sys.executable, "-m", "service", "score", "--model", str(model), str(source), str(target)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    kilobytes = 0
    while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
        kilobytes = max(kilobytes, _high_water(process.pid))
        time.sleep(0.05)
    seconds, usage = time.perf_counter() - start, ended[2]
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    if process.returncode:
        raise SystemExit("the command failed")
    return Rate("python -m service score", rows, seconds, usage.ru_utime + usage.ru_stime), kilobytes // 1024


def _high_water(pid: int) -> int:
    """Peak memory in kB of a running process; 0 if it has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def main() -> None:
    """Measure, print the rates, their ratios and the memory."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    Path("build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir="build", prefix="bench-score-") as name:
        folder = Path(name)
        model, source, target = fitted(folder), folder / "in.parquet", folder / "out.parquet"
        print(f"{rows:,} x {WIDTH} float32, {CLASSES} classes; {hardware.described()}")
        for form in FORMS:
            write(source, rows, form)
            before = alone(model)
            ours, megabytes = scored(model, source, target, rows)
            after = alone(model)
            best = max(before, after, key=lambda rate: rate.rows / rate.seconds)
            ratio = (ours.rows / ours.seconds) / (best.rows / best.seconds)
            cpu = (ours.rows / ours.cpu_seconds) / (best.rows / best.cpu_seconds)
            print(f"{form}, {source.stat().st_size / 1e9:.1f} GB")
            print(f"  {before} (before)\n  {after} (after)\n  {reading(source)}")
            print(f"  {ours}, {ours.seconds:.0f} s, at most {megabytes} MB")
            print(f"  ratio {ratio:.2f}, by CPU time {cpu:.2f}", flush=True)
            source.unlink()
            target.unlink()


if __name__ == "__main__":
    main()
