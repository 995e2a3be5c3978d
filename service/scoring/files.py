"""The Parquet files that are read: which they are, what their footers say, and their rows in batches."""

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
_BUFFER_BYTES = 1 << 20  # of each column while it is read: without it a whole row group's column is taken in at once
_BATCH_BYTES = 4 << 20
_MOST_ROWS, _FEWEST_ROWS = 8192, 16


@dataclass(frozen=True, slots=True)
class Source:
    """One Parquet file that is to be scored."""

    path: Path
    schema: pa.Schema  # without metadata
    groups: tuple[int, ...]  # rows in each row group
    identity: dict[str, Any]  # by which a changed file is known, as JSON values
    batch_rows: int  # as many as take about 4 MiB

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the footer. Raises ScoringError where the file is missing or not Parquet."""
        try:
            stat = path.stat()
            with pq.ParquetFile(path) as file:
                found = file.metadata
                groups = [found.row_group(i) for i in range(found.num_row_groups)]
                schema = file.schema_arrow.remove_metadata()
        except (OSError, pa.ArrowException) as error:
            raise ScoringError(f"{path} cannot be read: {said(error)}") from None
        bytes_a_row = max((group.total_byte_size // group.num_rows for group in groups if group.num_rows), default=1)
        return cls(
            path=path,
            schema=schema,
            groups=tuple(group.num_rows for group in groups),
            identity={"name": path.name, "bytes": stat.st_size, "modified_ns": stat.st_mtime_ns},
            batch_rows=max(_FEWEST_ROWS, min(_MOST_ROWS, _BATCH_BYTES // max(bytes_a_row, 1))),
        )

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(self.groups)

    def batches(self, groups: range, batch_rows: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows of some row groups in batches, each with the number of its first row in the file.

        No batch holds rows of two groups, so that it is the same batches wherever a run starts. Raises ScoringError.
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
                    # What is read once must not push out of the page cache what others read again and again.
                    _advise(raw, "DONTNEED", raw.tell())
        except (OSError, pa.ArrowException) as error:
            raise ScoringError(f"{self.path} cannot be read: {said(error)}") from None


def _advise(file: FileIO, how: str, end: int = 0) -> None:
    """Tell the system how the file is read, up to `end` or as a whole; nothing where it takes no advice."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, end, getattr(os, f"POSIX_FADV_{how}"))


def pairs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """The files to read, each with the one to write: one pair, or one for each `*.parquet` of a folder, sorted.

    Raises ScoringError where there is nothing to read, or a file would be written over itself.
    """
    if not source.exists():
        raise ScoringError(f"{source} is not there")
    if source.resolve() == target.resolve():
        raise ScoringError(f"{target} is what is read: the answers must go elsewhere")
    if not source.is_dir():
        if target.is_dir():
            raise ScoringError(f"{target} is a folder and {source} a file: name a file")
        return [(source, target)]
    if target.exists() and not target.is_dir():
        raise ScoringError(f"{target} is a file and {source} a folder: name a folder")
    found = sorted(path for path in source.iterdir() if path.suffix == _SUFFIX and path.is_file())
    if not found:
        raise ScoringError(f"{source} holds no file *{_SUFFIX}")
    return [(path, target / path.name) for path in found]


def said(error: Exception) -> str:
    """What the system or pyarrow says of a failure, in one line."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return (str(error).splitlines() or [type(error).__name__])[0]
