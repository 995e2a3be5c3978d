"""One worker's place among several: where they keep what all of them show, and which part of it is this one's.

What a worker counts alone (feedback, drift) would be a different number with each request. So several share a folder
for the time that the service runs. It holds counts and labels, never an input.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WorkerSlot:
    """Where one worker stands."""

    directory: Path | None = None  # None for a worker that is alone
    index: int = 0
    workers: int = 1

    def path(self, what: str, model: str) -> Path | None:
        """The file of one kind of counts of one model; None for a worker that is alone."""
        if self.directory is None:
            return None
        return self.directory / f"{what}-{hashlib.sha256(model.encode()).hexdigest()[:16]}"


ALONE = WorkerSlot()


def claim(directory: Path, workers: int) -> WorkerSlot:
    """The first place that no living worker has: one that is started in the stead of another goes on with its counts.

    The place is held until the process ends. Raises RuntimeError where there are more workers than places.
    """
    import fcntl  # there is none on Windows, where a worker is alone

    for slot in range(workers):
        lock = os.open(directory / f"worker-{slot}", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return WorkerSlot(directory, slot, workers)
        except BlockingIOError:
            os.close(lock)
    raise RuntimeError(f"all {workers} places of {directory} are taken")
