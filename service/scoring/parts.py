"""Writes the answers of one file in parts, so that a run that was killed resumes after the last finished part.

The parts are in `TARGET.parts/` with a `job.json` that identifies the job. Each part, and then the target, is written
as a draft and renamed. At the end the folder is removed.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from service.contract.errors import ScoringError
from service.scoring.files import reason
from service.scoring.table import METADATA_KEY, metadata

if sys.platform != "win32":
    import fcntl

_JOB, _LOCK, _ASSEMBLED = "job.json", "lock", "whole"
_GROUP_ROWS, _GROUP_BYTES = 1 << 17, 32 << 20  # of a row group in the output


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the answers of one job, until all are finished."""

    target: Path
    job: dict[str, Any]  # what the answers depend on, as JSON values
    schema: pa.Schema  # of the answers
    sizes: tuple[int, ...]  # rows in each part

    @property
    def folder(self) -> Path:
        """The folder of the parts."""
        return self.target.with_name(f"{self.target.name}.parts")

    @contextlib.contextmanager
    def opened(self) -> Iterator[str | None]:
        """Lock the folder for one run. Yields the reason if parts of another job were discarded, else None.

        Raises ScoringError if the folder cannot be written, or another run has locked it.
        """
        with _named_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / _LOCK).open("w")
        with lock:
            with _named_errors(self.folder):
                if sys.platform != "win32":
                    _lock(lock.fileno(), self.target)
                stale = self._stale_reason()
                if stale is not None:
                    self._clear()
                    _write_atomically(self.folder / _JOB, json.dumps(self.job, sort_keys=True))
            yield stale or None

    def missing(self) -> list[int]:
        """The parts that are not finished."""
        return [i for i, rows in enumerate(self.sizes) if not _is_finished(self._path(i), rows)]

    def write(self, part: int, batches: Iterable[pa.RecordBatch]) -> None:
        """Write one part. Raises ScoringError, and what `batches` raises."""
        self._write(self._path(part), batches)

    def assemble(self) -> None:
        """Assemble the target from all parts, and remove them. Raises ScoringError."""
        assembled = self.folder / _ASSEMBLED
        if len(self.sizes) == 1:
            assembled = self._path(0)
        else:
            self._write(assembled, self._batches())
        with _named_errors(self.target):
            _sync(assembled)
            assembled.replace(self.target)
            self.remove()

    def remove(self) -> None:
        """Remove the folder, unless it holds other files."""
        if self.folder.is_dir():
            self._clear()
            (self.folder / _LOCK).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def _path(self, part: int) -> Path:
        return self.folder / f"part-{part:06}.parquet"

    def _clear(self) -> None:
        for path in [*self.folder.glob("part-*"), *self.folder.glob(f"{_ASSEMBLED}*"), *self.folder.glob(f"{_JOB}*")]:
            path.unlink()

    def _stale_reason(self) -> str | None:
        """How the job in the folder differs; empty if there was none, None if it is this one."""
        try:
            before = json.loads((self.folder / _JOB).read_text())
        except (FileNotFoundError, ValueError):
            return ""
        return differing(before, self.job)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for i in range(len(self.sizes)):
            with pq.ParquetFile(self._path(i)) as file:
                for group in range(file.num_row_groups):
                    yield from file.read_row_group(group).to_batches()

    def _write(self, path: Path, batches: Iterable[pa.RecordBatch]) -> None:
        draft = path.with_name(f"{path.name}.draft")
        with _named_errors(self.target):
            try:
                schema = self.schema.with_metadata(metadata(self.job))
                writer = pq.ParquetWriter(draft, schema, use_dictionary=_dictionary_columns(self.schema))
                try:
                    for table in _row_groups(batches):
                        writer.write_table(table, row_group_size=table.num_rows)
                finally:
                    writer.close()
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)


def differing(before: Any, job: dict[str, Any]) -> str | None:
    """How two jobs differ, in words; None if they do not.

    >>> differing({"model": 1, "policy": 2}, {"model": 1, "policy": 3})
    'another policy'
    """
    if before == job:
        return None
    names = [name for name in job if not isinstance(before, dict) or before.get(name) != job[name]]
    return f"another {', '.join(names)}"


def finished(target: Path, job: dict[str, Any], *, overwrite: bool) -> bool:
    """Whether `target` has all answers of this job. Raises ScoringError for anything else, unless `overwrite`."""
    if not target.exists():
        return False
    try:
        description = (pq.read_schema(target).metadata or {}).get(METADATA_KEY)
        difference = "other data" if description is None else differing(json.loads(description), job)
    except (OSError, ValueError, pa.ArrowException):
        difference = "other data"
    if difference is None:
        return True
    if not overwrite:
        raise ScoringError(f"{target} already exists, from {difference}: name another file, or add --overwrite")
    return False


def tally(path: Path) -> tuple[int, int]:
    """The number of rows in a file of answers, and the number answered, from its footer."""
    footer = pq.read_metadata(path)
    names = [footer.schema.column(i).path for i in range(footer.num_columns)]
    label = names.index("label")
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    abstained = sum(group.column(label).statistics.null_count for group in groups)
    return footer.num_rows, footer.num_rows - abstained


def _dictionary_columns(schema: pa.Schema) -> list[str]:
    """The columns of strings, whose values may repeat. For numbers, a dictionary would take most of the time."""
    return [
        field.name
        for field in schema
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type) or pa.types.is_dictionary(field.type)
    ]


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables large enough for a row group."""
    pending: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        pending.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.Table.from_batches(pending)
            pending, rows, size = [], 0, 0
    if pending:
        yield pa.Table.from_batches(pending)


def _is_finished(path: Path, rows: int) -> bool:
    """Whether a part is complete. A renamed part is, unless the machine crashed before it reached the disk."""
    try:
        return bool(pq.read_metadata(path).num_rows == rows)
    except (OSError, pa.ArrowException):
        return False


def _lock(descriptor: int, target: Path) -> None:
    """Lock the file until it is closed; if the process is killed, the kernel closes it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ScoringError(f"another run is writing {target}") from None


def _write_atomically(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text)
    draft.replace(path)


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


@contextlib.contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise ScoringError(f"cannot write {path}: {reason(error)}") from None
