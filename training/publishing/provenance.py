"""The origin of a model: versions, revision and time, which are equal for equal runs."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from training.errors import TrainingError

LIBRARIES = ("torch", "numpy", "onnx", "onnxruntime")
TIME_VARIABLE = "SOURCE_DATE_EPOCH"


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of the training code, with `-dirty` where files differ from it, and its time."""

    name: str
    time: datetime


def library_versions() -> dict[str, str]:
    """The versions of Python and of the libraries that determine the file."""
    return {"python": platform.python_version(), **{library: version(library) for library in LIBRARIES}}


def revision(folder: Path) -> Revision | None:
    """The git revision of the code in `folder`, or None where there is no git or no checkout."""
    described = _git(folder, "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")
    time = _git(folder, "log", "-1", "--format=%ct")
    if not described or not time:
        return None
    return Revision(described, datetime.fromtimestamp(int(time), UTC))


def created_at(source: Revision | None) -> datetime | None:
    """The time to state in the manifest.

    The clock would make every file different. As in reproducible builds, the time is SOURCE_DATE_EPOCH (seconds since
    1970), or the revision's time, or none. Raises TrainingError for an unusable variable.
    """
    value = os.environ.get(TIME_VARIABLE)
    if value is None:
        return source.time if source else None
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (ValueError, OverflowError, OSError):
        raise TrainingError(f"{TIME_VARIABLE}={value}: it must be whole seconds since 1970") from None


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except OSError:  # no git here
        return None
    return result.stdout.strip() if result.returncode == 0 else None
