"""Parquet files for the tests, and the command that scores them."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from service.__main__ import main
from tests.server import ROOT, command_environment

Columns = dict[str, Any]


def fixed_size_list(rows: NDArray[Any]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])


def fixed_size_binary(rows: NDArray[Any]) -> pa.Array:
    size = rows.shape[1] * rows.itemsize
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(rows), [None, pa.py_buffer(rows.tobytes())])


def embeddings(count: int, width: int = 2) -> NDArray[np.float32]:
    """Reproducible rows of numbers from 0 to 1."""
    return np.random.default_rng(0).random((count, width), dtype=np.float32)


def write(path: Path, columns: Columns, group: int = 1 << 20) -> Path:
    """Write a file of these columns, with `group` rows in a row group."""
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return path


def score(model: Path, *arguments: str | Path) -> int:
    """Run the command in this process; returns its exit status."""
    return main(["score", "--model", str(model), *map(str, arguments)])


def command(model: Path, *arguments: str | Path) -> list[str]:
    """The command line of a separate process."""
    return [sys.executable, "-m", "service", "score", "--model", str(model), *map(str, arguments)]


def start(arguments: Sequence[str], **options: Any) -> "subprocess.Popen[str]":
    """Start a command and capture its output."""
    return subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=command_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
