"""The answers of one file, part by part: a run that was killed goes on behind the last whole part.

The parts lie in `TARGET.parts/` beside `job.json`, which says whose they are. A part is written beside its place and
renamed, and so is the file that is made of them all; then the folder goes.
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
from service.scoring.files import said
from service.scoring.table import METADATA_KEY, metadata

if sys.platform != "win32":
    import fcntl

_JOB, _LOCK, _WHOLE = "job.json", "lock", "whole"
_GROUP_ROWS, _GROUP_BYTES = 1 << 17, 32 << 20  # of a row group that is written


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the answers of one job gather until all are there."""

    target: Path
    job: dict[str, Any]  # what the answers depend on, as JSON values
    schema: pa.Schema  # of the answers
    sizes: tuple[int, ...]  # rows in each part

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.target.with_name(f"{self.target.name}.parts")

    @contextlib.contextmanager
    def opened(self) -> Iterator[str | None]:
        """Hold the folder, for one run at a time. Yields why the parts that were there are thrown away, if they are.

        Raises ScoringError where it cannot be written, or another run holds it.
        """
        with _failures_named(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / _LOCK).open("w")
        with lock:
            with _failures_named(self.folder):
                if sys.platform != "win32":
                    _hold(lock.fileno(), self.target)
                stale = self._stale()
                if stale is not None:
                    self._clear()
                    _write_beside(self.folder / _JOB, json.dumps(self.job, sort_keys=True))
            yield stale or None

    def missing(self) -> list[int]:
        """Which parts have still to be made."""
        return [i for i, rows in enumerate(self.sizes) if not _is_whole(self._path(i), rows)]

    def write(self, part: int, batches: Iterable[pa.RecordBatch]) -> None:
        """Write one part. Raises ScoringError, and what `batches` raises."""
        self._write(self._path(part), batches)

    def assemble(self) -> None:
        """Make the target of all parts, and remove them. Raises ScoringError."""
        whole = self.folder / _WHOLE
        if len(self.sizes) == 1:
            whole = self._path(0)
        else:
            self._write(whole, self._batches())
        with _failures_named(self.target):
            _sync(whole)
            whole.replace(self.target)
            self.remove()

    def remove(self) -> None:
        """Remove the folder, where there is one; what is not of ours stays, and the folder with it."""
        if self.folder.is_dir():
            self._clear()
            (self.folder / _LOCK).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def _path(self, part: int) -> Path:
        return self.folder / f"part-{part:06}.parquet"

    def _clear(self) -> None:
        for path in [*self.folder.glob("part-*"), *self.folder.glob(f"{_WHOLE}*"), *self.folder.glob(f"{_JOB}*")]:
            path.unlink()

    def _stale(self) -> str | None:
        """What the job before was otherwise in; empty where there was none; None where it was this one."""
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
        with _failures_named(self.target):
            try:
                stated = self.schema.with_metadata(metadata(self.job))
                writer = pq.ParquetWriter(draft, stated, use_dictionary=_words(self.schema))
                try:
                    for table in _gathered(batches):
                        writer.write_table(table, row_group_size=table.num_rows)
                finally:
                    writer.close()
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)


def differing(before: Any, job: dict[str, Any]) -> str | None:
    """In what two jobs differ, in words; None where in nothing.

    >>> differing({"model": 1, "policy": 2}, {"model": 1, "policy": 3})
    'another policy'
    """
    if before == job:
        return None
    names = [name for name in job if not isinstance(before, dict) or before.get(name) != job[name]]
    return f"another {', '.join(names)}"


def finished(target: Path, job: dict[str, Any], *, overwrite: bool) -> bool:
    """Whether `target` holds all answers of this job. Raises ScoringError where it is there and holds something else.

    With `overwrite` what is there may be anything.
    """
    if not target.exists():
        return False
    try:
        found = (pq.read_schema(target).metadata or {}).get(METADATA_KEY)
        otherwise = "other data" if found is None else differing(json.loads(found), job)
    except (OSError, ValueError, pa.ArrowException):
        otherwise = "other data"
    if otherwise is None:
        return True
    if not overwrite:
        raise ScoringError(f"{target} is there already, of {otherwise}: name another file, or say --overwrite")
    return False


def tally(path: Path) -> tuple[int, int]:
    """How many rows a file of answers has, and how many of them are answered, as its footer says."""
    found = pq.read_metadata(path)
    names = [found.schema.column(i).path for i in range(found.num_columns)]
    label = names.index("label")
    abstained = sum(found.row_group(i).column(label).statistics.null_count for i in range(found.num_row_groups))
    return found.num_rows, found.num_rows - abstained


def _words(schema: pa.Schema) -> list[str]:
    """The columns that may say the same again and again: a dictionary of numbers costs more than all else here."""
    return [
        field.name
        for field in schema
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type) or pa.types.is_dictionary(field.type)
    ]


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables large enough for a row group."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.Table.from_batches(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held)


def _is_whole(path: Path, rows: int) -> bool:
    """A part that was renamed is whole, unless the machine went down before the disk had it."""
    try:
        return bool(pq.read_metadata(path).num_rows == rows)
    except (OSError, pa.ArrowException):
        return False


def _hold(lock: int, target: Path) -> None:
    """Until the file is closed, by the kernel where the process is killed."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ScoringError(f"another run is writing {target}") from None


def _write_beside(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text)
    draft.replace(path)


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


@contextlib.contextmanager
def _failures_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise ScoringError(f"cannot write {path}: {said(error)}") from None
