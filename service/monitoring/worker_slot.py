"""A worker's slot among several: the folder of counts that they share, and this worker's part of it.

Any of the workers may answer a request for feedback, drift or metrics, so all must show the same counts. The folder
lasts as long as the service runs. It holds counts and labels, never an input.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


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
