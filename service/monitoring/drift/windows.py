"""Counts over disjoint windows, summed over all workers: one window is complete, the next is being filled.

A test repeated with each new input would raise a false alarm sooner or later. A complete window is tested once.
"""

import mmap
import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.monitoring.worker_slot import WorkerSlot, shared_memory

FIRST_WINDOW = 100  # inputs
_BOUNDARIES = 3  # that are kept: both ends of the complete window, and one being written
_BYTES = 8  # of a count

Counts = NDArray[np.int64]


class Window(NamedTuple):
    """The last complete window."""

    number: int  # from 1; 0 where none is complete yet
    inputs: int
    counts: Counts  # [bins]
    since: int  # later inputs


class Windows:
    """Counts of inputs by bin; safe to share between threads and, through a worker slot, between workers.

    Window n is complete once it has min(100 * 2^(n - 1), limit) inputs. The request that completes a window belongs to
    it entirely, so a window may hold more.

    Each worker counts in a row of its own, and counts only rise. `begun` rises before a row changes, `finished` after:
    while both are equal, the row is consistent. At the end of a window all rows are summed, under a lock between the
    workers. The boundary is written beside the last two, and only then the number of the window rises: if a worker is
    killed meanwhile, the window stays open, and the next request closes it.
    """

    def __init__(self, bins: int, limit: int, model: str, slot: WorkerSlot) -> None:
        """Continues the counts in the workers' file, where there is one. Raises FileError if there is no space."""
        workers, boundary = slot.workers, 1 + bins
        numbers = 1 + _BOUNDARIES * boundary + workers * (2 + bins)
        self._limit = limit
        self._file: int | None = None
        path = slot.path("drift", model)
        memory: bytearray | mmap.mmap = bytearray(numbers * _BYTES)
        if path is not None:
            self._file, memory = shared_memory(path, numbers * _BYTES)
            weakref.finalize(self, os.close, self._file)
        parts = np.split(
            np.frombuffer(memory, np.int64),
            np.cumsum([1, _BOUNDARIES * boundary, workers, workers]),
        )
        self._number, self._begun, self._finished = (
            parts[i].data for i in (0, 2, 3)
        )  # memoryviews: faster for single numbers
        self._boundaries = parts[1].reshape(_BOUNDARIES, boundary)  # inputs, and counts by bin
        self._rows = parts[4].reshape(workers, bins)
        self._index = slot.index
        self._row, self._row_numbers = self._rows[slot.index], self._rows[slot.index].data
        self._begun[slot.index] = self._finished[slot.index]  # a killed worker may have left them unequal
        self._end = self._planned_end()  # another worker may have closed this window since
        self._lock = threading.Lock()

    def count_one(self, bins: Iterable[int]) -> None:
        """Count one input, by its bins."""
        with self._lock:
            begun = self._begun[self._index] + 1
            self._begun[self._index] = begun
            for position in bins:
                self._row_numbers[position] += 1
            self._finished[self._index] = begun
            if sum(self._finished) >= self._end:
                self._close()

    def count(self, inputs: int, counts: Counts) -> None:
        """Count the inputs of one request, by bin `[bins]`."""
        with self._lock:
            begun = self._begun[self._index] + inputs
            self._begun[self._index] = begun
            self._row += counts
            self._finished[self._index] = begun
            if sum(self._finished) >= self._end:
                self._close()

    @property
    def number(self) -> int:
        """The number of complete windows."""
        number: int = self._number[0]
        return number

    def latest(self) -> Window:
        """The last complete window."""
        while True:
            number = self.number
            start, end = (self._boundaries[i % _BOUNDARIES].copy() for i in (number - 1, number))
            since = sum(self._finished) - int(end[0])
            if number == self.number:  # else another worker may have overwritten the start
                return Window(number, int(end[0] - start[0]), end[1:] - start[1:], since)

    def _planned_end(self) -> int:
        """The number of all inputs at which the current window is complete."""
        number = self.number
        size = min(FIRST_WINDOW << min(number, 32), self._limit)
        return int(self._boundaries[number % _BOUNDARIES, 0]) + size

    def _close(self) -> None:
        """Complete the window, unless another worker has. If a row is inconsistent, its worker will."""
        with self._locked():
            self._end = self._planned_end()
            finished = list(self._finished)
            total = self._rows.sum(axis=0)
            if list(self._begun) != finished or sum(finished) < self._end:
                return
            number = self.number + 1
            self._boundaries[number % _BOUNDARIES] = [sum(finished), *total]
            self._number[0] = number
            self._end = self._planned_end()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock between the workers; the end of a process releases it."""
        if self._file is None:
            yield
            return
        import fcntl  # Windows has none, and only single workers

        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
