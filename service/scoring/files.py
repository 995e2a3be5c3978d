"""Finds the Parquet files to score, and reads their footers and their rows in batches."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from service.contract.errors import ScoringError

_SUFFIX = ".parquet"
_BUFFER_BYTES = 1 << 20  # for each column; without it, the column is read for a whole row group at once
_BATCH_BYTES = 4 << 20
_MAX_ROWS, _MIN_ROWS = 8192, 16


@dataclass(frozen=True, slots=True)
class Source:
    """One Parquet file to score."""

    path: Path
    schema: pa.Schema  # without metadata
    groups: tuple[int, ...]  # rows in each row group
    identity: dict[str, Any]  # identifies this version of the file, as JSON values
    batch_rows: int  # about 4 MiB

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the footer. Raises ScoringError if the file is missing or not Parquet."""
        try:
            stat = path.stat()
            with pq.ParquetFile(path) as file:
                metadata = file.metadata
                groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
                schema = file.schema_arrow.remove_metadata()
        except (OSError, pa.ArrowException) as error:
            raise ScoringError(f"{path} cannot be read: {reason(error)}") from None
        bytes_a_row = max((group.total_byte_size // group.num_rows for group in groups if group.num_rows), default=1)
        return cls(
            path=path,
            schema=schema,
            groups=tuple(group.num_rows for group in groups),
            identity={"name": path.name, "bytes": stat.st_size, "modified_ns": stat.st_mtime_ns},
            batch_rows=max(_MIN_ROWS, min(_MAX_ROWS, _BATCH_BYTES // max(bytes_a_row, 1))),
        )

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(self.groups)

    def batches(self, groups: range, batch_rows: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows of some row groups in batches, each with the number of its first row in the file.

        No batch has rows of two groups, so the batches are the same wherever a run starts. Raises ScoringError.
        """
        try:
            with (
                self.path.open("rb", buffering=0) as raw,
                pq.ParquetFile(raw, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file,
            ):
                _advise(raw, "SEQUENTIAL")
                for group in groups:
                    row = sum(self.groups[:group])
                    for batch in file.iter_batches(batch_rows, row_groups=[group], use_threads=False):
                        yield row, batch
                        row += batch.num_rows
                    # Data that is read only once should not displace other data from the page cache.
                    _advise(raw, "DONTNEED", raw.tell())
        except (OSError, pa.ArrowException) as error:
            raise ScoringError(f"{self.path} cannot be read: {reason(error)}") from None


def _advise(file: FileIO, how: str, end: int = 0) -> None:
    """Advise the system how the file is read, up to `end` or as a whole, if it supports that."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, end, getattr(os, f"POSIX_FADV_{how}"))


def pairs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Pairs of a file to read and a file to write: one pair, or one for each `*.parquet` in a folder, sorted.

    Raises ScoringError if there is nothing to read, or one is a folder and the other is not.
    """
    if not source.exists():
        raise ScoringError(f"{source} does not exist")
    if not source.is_dir():
        if target.is_dir():
            raise ScoringError(f"{target} is a folder but {source} is a file: name a file")
        return [(source, target)]
    if target.exists() and not target.is_dir():
        raise ScoringError(f"{target} is a file but {source} is a folder: name a folder")
    paths = sorted(path for path in source.iterdir() if path.suffix == _SUFFIX and path.is_file())
    if not paths:
        raise ScoringError(f"{source} contains no *{_SUFFIX} file")
    return [(path, target / path.name) for path in paths]


def reason(error: Exception) -> str:
    """The reason for an error of the system or of pyarrow, in one line."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return (str(error).splitlines() or [type(error).__name__])[0]
