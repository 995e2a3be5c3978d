"""Finds the files to score, and reads their rows in batches: of Parquet from the disk, of CSV from memory."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from service.contract.errors import ScoringError
from service.contract.inputs import Kind
from service.inference.csv_files.form import CsvOptions, is_csv, uncompressed
from service.scoring.csv_rows import read_rows

_SUFFIX = ".parquet"
_BUFFER_BYTES = 1 << 20  # for each column; without it, the column is read for a whole row group at once
_BATCH_BYTES = 4 << 20
_MAX_ROWS, _MIN_ROWS = 8192, 16
_GROUP_ROWS = 1 << 18  # of a CSV file; for Parquet the file decides


@dataclass(frozen=True, slots=True)
class Source:
    """One file to score."""

    path: Path
    schema: pa.Schema  # without metadata
    groups: tuple[int, ...]  # rows in each row group
    identity: dict[str, Any]  # identifies this version of the file, as JSON values
    batch_rows: int  # about 4 MiB
    table: pa.Table | None = None  # all rows, of a CSV file

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
            identity=_identity(path, stat),
            batch_rows=_batch_rows(bytes_a_row),
        )

    @classmethod
    def open_csv(cls, path: Path, options: CsvOptions, kind: Kind) -> Self:
        """Read the file for a model of that kind. Raises ScoringError if it is missing or cannot be read."""
        try:
            stat = path.stat()
            table = read_rows(path, options, kind)
        except OSError as error:
            raise ScoringError(f"{path} cannot be read: {reason(error)}") from None
        bytes_a_row = table.nbytes // max(1, table.num_rows)
        return cls(
            path=path,
            schema=table.schema,
            groups=tuple(min(_GROUP_ROWS, table.num_rows - start) for start in range(0, table.num_rows, _GROUP_ROWS)),
            identity={**_identity(path, stat), "csv": asdict(options)},
            batch_rows=_batch_rows(bytes_a_row),
            table=table,
        )

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(self.groups)

    def batches(self, groups: range, batch_rows: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows of some row groups in batches, each with the number of its first row in the file.

        No batch has rows of two groups, so the batches are the same wherever a run starts. Raises ScoringError.
        """
        if self.table is not None:
            for group in groups:
                first = sum(self.groups[:group])
                row = first
                for batch in self.table.slice(first, self.groups[group]).combine_chunks().to_batches(batch_rows):
                    yield row, batch
                    row += batch.num_rows
            return
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


def _identity(path: Path, stat: os.stat_result) -> dict[str, Any]:
    return {"name": path.name, "bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}


def _batch_rows(bytes_a_row: int) -> int:
    return max(_MIN_ROWS, min(_MAX_ROWS, _BATCH_BYTES // max(bytes_a_row, 1)))


def _advise(file: FileIO, how: str, end: int = 0) -> None:
    """Advise the system how the file is read, up to `end` or as a whole, if it supports that."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, end, getattr(os, f"POSIX_FADV_{how}"))


def pairs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Pairs of a file to read and a file to write: one pair, or one for each Parquet or CSV file in a folder, sorted.

    Raises ScoringError if there is nothing to read, or one is a folder and the other is not.
    """
    if not source.exists():
        raise ScoringError(f"{source} does not exist")
    if not source.is_dir():
        if target.is_dir():
            raise ScoringError(f"{target} is a folder but {source} is a file: name a file")
        if is_csv(target):
            raise ScoringError(f"{target} would hold Parquet, in which answers are written: let it end with {_SUFFIX}")
        return [(source, target)]
    if target.exists() and not target.is_dir():
        raise ScoringError(f"{target} is a file but {source} is a folder: name a folder")
    paths = sorted(path for path in source.iterdir() if (path.suffix == _SUFFIX or is_csv(path)) and path.is_file())
    if not paths:
        raise ScoringError(f"{source} contains no *{_SUFFIX} file, and no CSV file")
    targets = [target / uncompressed(path).with_suffix(_SUFFIX).name for path in paths]
    if len(set(targets)) < len(targets):
        twice = next(name for name in targets if targets.count(name) > 1)
        raise ScoringError(f"{source} has several files for the answers {twice}: rename or move one of them")
    return list(zip(paths, targets, strict=True))


def reason(error: Exception) -> str:
    """The reason for an error of the system or of pyarrow, in one line."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return (str(error).splitlines() or [type(error).__name__])[0]
