"""Numbers that go up, each worker's in a file of its own that the others read: so each can tell those of all.

To count is to add to a number in memory. The memory is a file's where there are several workers, so that what a killed
worker has counted stays: the one in its stead goes on from there, and no sum falls.
"""

import json
import mmap
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from service.monitoring.worker_slot import WorkerSlot

MAX_NUMBERS = 1 << 20  # those that are not used take neither memory nor disk: the file is sparse
_BYTES = 8  # of a number: a float64, exact for counts up to 2**53

Key = tuple[str, ...]
Numbers = Mapping[Key, list[float]]


class Tallies:
    """Numbers by key. A key has one or several that lie side by side; whoever adds to them knows where they begin."""

    def __init__(self, slot: WorkerSlot) -> None:
        """Goes on with what is in the file of this worker's place."""
        self._lock = threading.Lock()
        self._index = slot.index
        self._where: dict[Key, slice] = {}
        self._used = 0
        self._names: Path | None = None
        memory = mmap.mmap(-1, MAX_NUMBERS * _BYTES)
        self._files: list[_File | None] = [None] * slot.workers
        if slot.directory is not None:
            self._files = [_File(slot.directory / f"metrics-{index}") for index in range(slot.workers)]
            own = _File(slot.directory / f"metrics-{slot.index}")
            self._names = own.names
            memory = own.mapped()
            self._where = dict(own.where())
            self._used = own.used
        self.numbers = memoryview(memory).cast("d")  # to be added to, at the places that `begin` gives out

    def begin(self, key: Key, width: int = 1) -> int:
        """Where the `width` numbers of a key begin; those of a new key are 0.

        Raises RuntimeError where there are too many: a label has values without end.
        """
        with self._lock:
            found = self._where.get(key)
            if found is not None:
                return int(found.start)
            start, end = self._used, self._used + width
            if end > MAX_NUMBERS:
                raise RuntimeError(f"metrics: {'/'.join(key)} is one number too many: there are {MAX_NUMBERS}")
            if self._names is not None:
                with self._names.open("ab") as names:
                    names.write(json.dumps([*key, width]).encode() + b"\n")
            self._where[key] = slice(start, end)
            self._used = end
            return start

    def of_each_worker(self) -> list[Numbers]:
        """What each worker has counted, by its slot; of one that has not started yet, nothing."""
        found: list[Numbers] = []
        for slot, file in enumerate(self._files):
            if slot == self._index:
                found.append({key: list(self.numbers[part]) for key, part in self._where.copy().items()})
            else:
                found.append({} if file is None else file.read())
        return found

    def of_all(self) -> Numbers:
        """What all workers together have counted."""
        first, *others = self.of_each_worker()
        total = dict(first)
        for counted in others:
            for key, numbers in counted.items():
                before = total.get(key)
                total[key] = numbers if before is None else [a + b for a, b in zip(before, numbers, strict=True)]
        return total


class _File:
    """One worker's numbers, and beside them in a second file their keys: a line each, in their order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = path.with_name(f"{path.name}-names")
        self.used = 0
        self._where: dict[Key, slice] = {}
        self._read = 0  # bytes of the names: lines are only ever added

    def mapped(self) -> mmap.mmap:
        """The numbers as memory. For the worker whose they are: half a line, of one that was killed, is taken away."""
        if self.names.exists():
            os.truncate(self.names, self.names.read_bytes().rfind(b"\n") + 1)
        with self._path.open("a+b") as file:
            file.truncate(MAX_NUMBERS * _BYTES)
            return mmap.mmap(file.fileno(), MAX_NUMBERS * _BYTES)

    def where(self) -> dict[Key, slice]:
        """Where the numbers of each key are, as far as there are whole lines."""
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
        """What is there now."""
        where = self.where()
        if not where:
            return {}
        with self._path.open("rb") as file:
            numbers = memoryview(file.read(self.used * _BYTES)).cast("d")
        return {key: list(numbers[part]) for key, part in where.items()}
