"""Memory does not grow with the file."""

import re
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.service.scoring.files import command, embeddings, fixed_size_binary, fixed_size_list, start

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

BLOCK, BLOCKS, WIDTH = 5_000, 30, 1536
MEGABYTES = 450  # the process has 120 before it reads anything
_MAIN = "from service.__main__ import main; "


@pytest.mark.parametrize("group", [BLOCK, BLOCK * BLOCKS])
def test_file_of_a_gigabyte(tmp_path: Path, embedding_model: Path, group: int) -> None:
    """In row groups of 31 MB, or in one. Most columns are copied to the output, and so written as well."""
    file, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    columns = {
        "x": fixed_size_list(embeddings(BLOCK)),
        "more": fixed_size_binary(embeddings(BLOCK, WIDTH)),
    }
    table = pa.Table.from_batches([pa.record_batch(columns)] * BLOCKS)  # the same memory, again and again
    pq.write_table(table, file, row_group_size=group, use_dictionary=False, compression="none")
    assert pq.read_metadata(file).num_row_groups == BLOCK * BLOCKS // group
    assert file.stat().st_size > 900e6

    arguments = command(embedding_model, file, out)
    # The kernel's high-water mark of this program. That of `wait4` includes the parent's memory at the fork.
    run = start([arguments[0], "-c", f"{_MAIN}main({arguments[3:]!r}); print(*open('/proc/self/status'))"])
    output, _ = run.communicate(timeout=120)
    assert pq.read_metadata(out).num_rows == BLOCK * BLOCKS
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", output)
    assert int(kilobytes) / 1024 < MEGABYTES
