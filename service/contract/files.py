"""Files that appear whole or not at all: written beside their place, synced, renamed.

A file on its way has a name of its own, which its job holds locked. The kernel drops a lock with the process, however
that ends. So a draft that nobody holds is of a job that was killed, and the next job that writes to the same place
removes it: else a job that is killed again and again fills the disk. A draft of a job that still runs is left alone.
"""

import contextlib
import errno
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from service.contract.errors import FileError

if sys.platform != "win32":
    import fcntl

_MODE = 0o644  # the service may run as another user

_Proof = TypeVar("_Proof")


def make_writable(folder: Path) -> None:
    """Make `folder` where it is not there yet. Raises FileError where that, or writing into it, cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the folder {folder}: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"cannot write into {folder}: no permission, or a read-only file system")


def check_place(target: Path) -> None:
    """Raise FileError where `publish` could not put a file at `target`: before an hour's fit, not after it."""
    make_writable(target.parent)
    if target.is_dir():
        raise FileError(f"cannot write {target}: {os.strerror(errno.EISDIR)}")


def publish(content: bytes, target: Path, prove: Callable[[Path], _Proof]) -> _Proof:
    """Write `content` to `target` if `prove` accepts it, and return what `prove` returned.

    `prove` gets the finished file under a temporary name in the same folder; where it raises, or the process
    dies at any moment, whatever was at `target` stays as it was. The draft of a job that died goes with the next.
    """
    check_place(target)
    remove_left_behind(target)
    try:
        with drafted(target) as draft:
            _write(draft, content)
            outcome = prove(draft)
            draft.chmod(_MODE)
            draft.replace(target)
    except OSError as error:
        raise FileError(f"cannot write {target}: {error.strerror}") from None
    _sync_folder(target.parent)
    return outcome


@contextlib.contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """An empty file beside `target`, to be written and renamed; gone afterwards where it was not.

    Raises FileError where there can be none.
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
            raise FileError(f"cannot write into {target.parent}: {error.strerror}") from None
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


def _write(draft: Path, content: bytes) -> None:
    """All of it, and onto the disk."""
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
