"""A copy of a model's file that several workers share, so that a restarted worker serves the same model as the others.

By then the file at the original path may be another one, even one that the other workers have refused.
"""

import logging
import os
from pathlib import Path

from service.contract.errors import ModelError
from service.inference.model_file import read_model
from service.monitoring.worker_slot import WorkerSlot

_log = logging.getLogger("demur")


class WorkerCopy:
    """The copy of one model's file. A single worker keeps none."""

    def __init__(self, slot: WorkerSlot, path: Path) -> None:
        """`path` is the model's file; `self.path` is the copy, None for a single worker."""
        self.path = slot.path("model", str(path.absolute()))
        self._index = slot.index

    def read(self, max_bytes: int) -> bytes | None:
        """The file that the workers serve; None if there is no copy yet."""
        if self.path is None or not self.path.exists():
            return None
        try:
            return read_model(self.path, max_bytes)
        except ModelError as error:
            _log.warning("the workers' copy of the model cannot be read; loading the original file: %s", error)
            return None

    def write(self, file: bytes) -> None:
        """Replace the copy atomically."""
        if self.path is None:
            return
        draft = self.path.with_name(f"{self.path.name}-{self._index}")
        try:
            draft.write_bytes(file)
            os.replace(draft, self.path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            _log.warning(
                "cannot keep a copy of the model (%s): a worker that restarts will load the file at the original path, "
                "which may have changed by then",
                error.strerror,
            )

    def remove(self) -> None:
        """Remove the copy of a model that is no longer served."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
