"""What several workers serve, kept beside their counts: so that one that starts in the stead of another serves it too.

By then the file in its place may be another, even one that the living workers have refused.
"""

import logging
import os
from pathlib import Path

from service.contract.errors import ModelError
from service.inference.model_file import read_model
from service.monitoring.worker_slot import WorkerSlot

_log = logging.getLogger("demur")


class WorkerCopy:
    """The copy of one model's file. A worker that is alone keeps none, and reads none."""

    def __init__(self, slot: WorkerSlot, path: Path) -> None:
        """`path` is where the model's file has its place; `self.path` is where the copy has."""
        self.path = slot.path("model", str(path.absolute()))
        self._index = slot.index

    def read(self, max_bytes: int) -> bytes | None:
        """The file that the workers serve; None where there is none yet."""
        if self.path is None or not self.path.exists():
            return None
        try:
            return read_model(self.path, max_bytes)
        except ModelError as error:
            _log.warning("the copy that the workers keep cannot be read, so the file itself is: %s", error)
            return None

    def write(self, file: bytes) -> None:
        """Keep what is served from now on, whole or not at all."""
        if self.path is None:
            return
        draft = self.path.with_name(f"{self.path.name}-{self._index}")
        try:
            draft.write_bytes(file)
            os.replace(draft, self.path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            _log.warning(
                "no copy of the model is kept (%s): a worker that dies comes back with the file in its place, "
                "whatever that is by then",
                error.strerror,
            )

    def remove(self) -> None:
        """It is served no more."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
