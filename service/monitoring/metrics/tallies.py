"""Counters that workers share: each worker counts in a file of its own, and reads those of the others.

To count is to add to a number in memory. With several workers the memory is a mapped file, so the counts of a killed
worker remain: its replacement continues them, and no sum ever falls.
"""

import json
import mmap
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from service.monitoring.worker_slot import WorkerSlot, shared_memory

MAX_NUMBERS = 1 << 18  # enough for thousands of models; 2 MiB of disk for each of several workers
_BYTES = 8  # of a number: a float64, exact for counts up to 2**53

Key = tuple[str, ...]
Numbers = Mapping[Key, list[float]]


class Tallies:
    """Numbers by key. A key has one or several numbers side by side; callers add to them by their position."""

    def __init__(self, slot: WorkerSlot) -> None:
        """Continues the counts in the file of this worker's slot. Raises FileError if there is no space for them."""
        self._lock = threading.Lock()
        self._index = slot.index
        self._where: dict[Key, slice] = {}
        self._used = 0
        self._names: Path | None = None
        self._unwritten = b""  # keys that the file of keys lacks
        memory = mmap.mmap(-1, MAX_NUMBERS * _BYTES)
        self._files: list[_File | None] = [None] * slot.workers
        if slot.directory is not None:
            self._files = [_File(slot.directory / f"metrics-{index}") for index in range(slot.workers)]
            own = _File(slot.directory / f"metrics-{slot.index}")
            self._names = own.names
            memory = own.mapped()
            self._where = dict(own.where())
            self._used = own.used
        self.numbers = memoryview(memory).cast("d")  # callers add to these, at the positions that `begin` returns

    def begin(self, key: Key, width: int = 1) -> int:
        """The position of the first of a key's `width` numbers; those of a new key are 0.

        Raises RuntimeError where there are too many: some label has unbounded values.
        """
        with self._lock:
            existing = self._where.get(key)
            if existing is not None:
                return int(existing.start)
            start, end = self._used, self._used + width
            if end > MAX_NUMBERS:
                raise RuntimeError(f"metrics: no room for {'/'.join(key)}: there are already {MAX_NUMBERS} numbers")
            for position in range(start, end):
                self.numbers[position] = 0  # a killed worker may have counted there, without a key
            if self._names is not None:
                self._unwritten += json.dumps([*key, width]).encode() + b"\n"
                self._write_names(self._names)
            self._where[key] = slice(start, end)
            self._used = end
            return start

    def _write_names(self, path: Path) -> None:
        """Append the new keys to their file. If the disk is full, the next call appends them."""
        with suppress(OSError), path.open("ab", buffering=0) as names:
            size = names.tell()
            if names.write(self._unwritten) == len(self._unwritten):
                self._unwritten = b""
            else:
                names.truncate(size)

    def by_worker(self) -> list[Numbers]:
        """The counts of each worker, in the order of the slots; none for a worker that has not started yet."""
        if self._unwritten and self._names is not None:
            with self._lock:
                self._write_names(self._names)
        counts: list[Numbers] = []
        for slot, file in enumerate(self._files):
            if slot == self._index:
                counts.append({key: list(self.numbers[part]) for key, part in self._where.copy().items()})
            else:
                counts.append({} if file is None else file.read())
        return counts

    def totals(self) -> Numbers:
        """The counts of all workers together."""
        first, *others = self.by_worker()
        total = dict(first)
        for counted in others:
            for key, numbers in counted.items():
                before = total.get(key)
                total[key] = numbers if before is None else [a + b for a, b in zip(before, numbers, strict=True)]
        return total


class _File:
    """One worker's numbers, and a second file with their keys: one line each, in the order of the numbers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = path.with_name(f"{path.name}-names")
        self.used = 0
        self._where: dict[Key, slice] = {}
        self._read = 0  # bytes of the file of keys: lines are only ever added

    def mapped(self) -> mmap.mmap:
        """The numbers as memory, for the worker that owns them. A partial last line, of a killed worker, is removed."""
        if self.names.exists():
            os.truncate(self.names, self.names.read_bytes().rfind(b"\n") + 1)
        file, memory = shared_memory(self._path, MAX_NUMBERS * _BYTES)
        os.close(file)  # the memory keeps a copy
        return memory

    def where(self) -> dict[Key, slice]:
        """The positions of each key's numbers, from the complete lines."""
        if self.names.exists():
            with self.names.open("rb") as file:
                file.seek(self._read)
                lines = file.read()
            lines = lines[: lines.rfind(b"\n") + 1]
            self._read += len(lines)
            for line in lines.splitlines():
                *key, width = json.loads(line)
                self._where[tuple(key)] = slice(self.used, self.used + width)
                self.used += width
        return self._where

    def read(self) -> Numbers:
        """The current numbers."""
        where = self.where()
        if not where:
            return {}
        with self._path.open("rb") as file:
            numbers = memoryview(file.read(self.used * _BYTES)).cast("d")
        return {key: list(numbers[part]) for key, part in where.items()}
