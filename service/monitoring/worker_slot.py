"""A worker's slot among several: the folder of counts that they share, and this worker's part of it.

Any of the workers may answer a request for feedback, drift or metrics, so all must show the same counts. The folder
lasts as long as the service runs. It holds counts and labels, never an input.
"""

import hashlib
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

from service.contract.errors import FileError


@dataclass(frozen=True, slots=True)
class WorkerSlot:
    """The slot of one worker."""

    directory: Path | None = None  # None for a single worker
    index: int = 0
    workers: int = 1

    def path(self, kind: str, model: str) -> Path | None:
        """The file for one kind of counts of one model; None for a single worker."""
        if self.directory is None:
            return None
        return self.directory / f"{kind}-{hashlib.sha256(model.encode()).hexdigest()[:16]}"


ALONE = WorkerSlot()


def shared_memory(path: Path, size: int) -> tuple[int, mmap.mmap]:
    """The open file of shared counts, and its `size` bytes as memory; zeros if it is new.

    All of its disk space is taken now: on a full disk the system kills a process that writes to memory whose space is
    missing. Raises FileError.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _allocate(file, size)
        return file, mmap.mmap(file, size)
    except OSError as error:
        os.close(file)
        raise FileError(
            f"cannot reserve {size:,} bytes in {path} for the counts that workers share: {error.strerror}. "
            "Free that space, name another folder in TMPDIR, or serve with one worker (DEMUR_WORKERS=1)"
        ) from None


def _allocate(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:  # macOS
        present = os.fstat(file).st_size
        os.pwrite(file, bytes(size - present), present)


def claim(directory: Path, workers: int) -> WorkerSlot:
    """Claim the first free slot, until the process ends. A worker that replaces another continues its counts.

    Raises RuntimeError where there are more workers than slots.
    """
    import fcntl  # Windows has none, and only single workers

    for slot in range(workers):
        lock = os.open(directory / f"worker-{slot}", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return WorkerSlot(directory, slot, workers)
        except BlockingIOError:
            os.close(lock)
    raise RuntimeError(f"all {workers} slots of {directory} are taken")
