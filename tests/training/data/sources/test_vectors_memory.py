"""Memory use while reading half a gigabyte of embeddings in Parquet."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.server import ROOT

# RssAnon is the memory of the process without the page cache; a thread samples it all the time.
WATCHED = """
import sys, threading
from pathlib import Path
from training.data.sources import table_files, vectors
from training.data.raw import Findings
from training.data.options import DataOptions
def held():
    status = dict(line.split(":") for line in open("/proc/self/status"))
    return int(status["RssAnon"].split()[0]) // 1024
before, peak, done = held(), 0, threading.Event()
def watch():
    global peak
    while not done.wait(0.005):
        peak = max(peak, held())
watcher = threading.Thread(target=watch)
watcher.start()
raw = vectors.read(DataOptions(Path(sys.argv[1])), "e", Findings())
done.set()
watcher.join()
print(peak - before, raw.inputs.shape)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux how much memory a process holds")
@pytest.mark.parametrize("row_group", [1_000, 250_000])
@pytest.mark.parametrize("fixed", [True, False])
def test_half_a_gigabyte_takes_little_memory(tmp_path: Path, row_group: int, fixed: bool) -> None:
    rows, width = 250_000, 512
    kind = pa.list_(pa.float32(), width) if fixed else pa.list_(pa.float32())
    schema = pa.schema({"label": pa.int64(), "e": kind})
    rng = np.random.default_rng(0)
    with pa.parquet.ParquetWriter(tmp_path / "x.parquet", schema, use_dictionary=False) as file:
        for start in range(0, rows, row_group):
            numbers = pa.array(rng.standard_normal(row_group * width, dtype=np.float32))
            offsets = pa.array(np.arange(row_group + 1, dtype=np.int32) * width)
            lists = (
                pa.FixedSizeListArray.from_arrays(numbers, width)
                if fixed
                else pa.ListArray.from_arrays(offsets, numbers)
            )
            labels = pa.array(np.arange(start, start + row_group) % 4)
            file.write_table(pa.table([labels, lists], schema=schema), row_group_size=row_group)
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path / "x.parquet")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    held, _, shape = done.stdout.partition(" ")
    assert shape == "(250000, 512)\n"
    assert int(held) < 250, f"{held} MB"
