"""A folder that will be written into: made, and known to take files, before the work that it is for."""

import os
from pathlib import Path

from training.errors import TrainingError


def make_writable(folder: Path) -> None:
    """Make `folder` where it is not there yet. Raises TrainingError where that, or writing into it, cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"cannot make the folder {folder}: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TrainingError(f"cannot write into {folder}: no permission, or a read-only file system")
