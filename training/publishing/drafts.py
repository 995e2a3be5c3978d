"""Files on their way to their place, each under a name of its own that its job holds locked.

The kernel drops a lock with the process, however that ends. So a draft that nobody holds is of a job that was killed,
and the next job that writes to the same place removes it. A draft of a job that still runs is left alone.
"""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from training.errors import TrainingError

if sys.platform != "win32":
    import fcntl


@contextlib.contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """An empty file beside `target`, to be written and renamed; gone afterwards where it was not.

    Raises TrainingError where there can be none.
    """
    lock, draft = _create(target)
    try:
        yield draft
    finally:
        # What stopped the job is the news, not that its file system now refuses this too.
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def remove_left_behind(target: Path) -> None:
    """Remove the drafts of jobs that were killed while they wrote to `target`; what cannot be removed stays."""
    if sys.platform == "win32":
        return
    name = re.compile(rf"\.{re.escape(target.name)}-[a-z0-9_]{{8}}\.tmp")
    with contextlib.suppress(OSError):  # a folder that takes files need not be one that lists them
        for path in [target.parent / found for found in os.listdir(target.parent) if name.fullmatch(found)]:
            with contextlib.suppress(OSError):
                _remove_unheld(path)


def _create(target: Path) -> tuple[int | None, Path]:
    """A new draft, and the descriptor that holds it. One that another job took for left behind is followed by the next.

    Windows, which has no such locks, renames no file that is open.
    """
    while True:
        try:
            descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-", suffix=".tmp")
        except OSError as error:
            raise TrainingError(f"cannot write into {target.parent}: {error.strerror}") from None
        if sys.platform == "win32":
            os.close(descriptor)
            return None, Path(name)
        if _holds(descriptor) is not False and os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)
        Path(name).unlink(missing_ok=True)


def _remove_unheld(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if _holds(descriptor):
            path.unlink()
    finally:
        os.close(descriptor)


def _holds(descriptor: int) -> bool | None:
    """Lock the file until it is closed: False where another has it, None where this file system has no locks."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
