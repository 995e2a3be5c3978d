"""The latest inputs, by bins, in a ring of bytes: one for each worker, which the others can read."""

import mmap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.monitoring.place import Place

COLUMNS = 3  # of an input: the bins of its label, its confidence, its ood_score
_COUNT_BYTES = 8

Bins = NDArray[np.uint8]


class Ring:
    """The bins of the latest inputs of one model. Whoever writes holds a lock of its own; reading needs none."""

    def __init__(self, window: int, model: str, place: Place) -> None:
        """`window` is how many inputs all workers together hold."""
        self.size = max(1, window // place.workers)
        self._bytes = _COUNT_BYTES + COLUMNS * self.size
        self._paths = [_of_worker(place, model, slot) for slot in range(place.workers)]
        self._own = own = self._paths[place.slot]
        memory = bytearray(self._bytes) if own is None else _mapped(own, self._bytes)
        self._memory = memoryview(memory)
        self._count = self._memory[:_COUNT_BYTES].cast("Q")
        self.columns = [self._memory[_COUNT_BYTES + i * self.size :][: self.size] for i in range(COLUMNS)]

    @property
    def seen(self) -> int:
        """How many inputs this worker has written."""
        count: int = self._count[0]
        return count

    @seen.setter
    def seen(self, count: int) -> None:
        self._count[0] = count

    def remove(self) -> None:
        """Take away this worker's file. The memory stays until nobody has it."""
        if self._own is not None:
            self._own.unlink(missing_ok=True)

    def latest(self) -> Bins:
        """The bins of the latest inputs of all workers, `[COLUMNS, N]`, N at most the window."""
        return np.concatenate(list(self._all()), axis=1)

    def _all(self) -> Iterator[Bins]:
        for path in self._paths:
            if path is None:
                yield self._held(self._memory)
            else:
                with suppress(FileNotFoundError):  # of a worker that has not started, or serves another version
                    found = path.read_bytes()
                    if len(found) == self._bytes:  # less, where it is made just now
                        yield self._held(found)

    def _held(self, memory: bytes | memoryview) -> Bins:
        count = min(int.from_bytes(memory[:_COUNT_BYTES], "little"), self.size)
        return np.frombuffer(memory, np.uint8, offset=_COUNT_BYTES).reshape(COLUMNS, self.size)[:, :count].copy()


def _of_worker(place: Place, model: str, slot: int) -> Path | None:
    path = place.path("drift", model)
    return None if path is None else path.with_name(f"{path.name}-{slot}")


def _mapped(path: Path, size: int) -> mmap.mmap:
    """The file's bytes, as memory; made of zeros where it is not there yet."""
    with path.open("a+b") as file:
        file.truncate(size)
        return mmap.mmap(file.fileno(), size)
