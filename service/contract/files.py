"""Writes files atomically: a draft beside the target is written, synced and renamed.

The job holds a lock on its draft. The kernel releases the lock when the process ends, however that happens. So an
unlocked draft was left behind by a job that was killed, and the next job with the same target removes it. Otherwise a
job that is killed again and again would fill the disk.
"""

import contextlib
import errno
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from service.contract.errors import FileError, PlaceError

if sys.platform != "win32":
    import fcntl

_MODE = 0o644  # the service may run as another user
_SPECIAL = (
    (stat.S_ISFIFO, "a fifo"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

_Proof = TypeVar("_Proof")


def make_writable(folder: Path) -> None:
    """Create `folder` if it does not exist. Raises FileError if it cannot be created or is not writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the folder {folder}: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"cannot write into {folder}: no permission, or a read-only file system")


def check_place(target: Path) -> None:
    """Raise FileError if `publish` could not write to `target`: better before a long fit than after it."""
    make_writable(target.parent)
    require_replaceable(target)


def require_replaceable(target: Path) -> None:
    """Raise PlaceError unless `target` is a regular file, or nothing: a rename would replace a device like a file."""
    try:
        mode = target.stat().st_mode
    except OSError:
        return  # there is nothing, or writing will say why not
    if stat.S_ISDIR(mode):
        raise PlaceError(f"cannot write {target}: {os.strerror(errno.EISDIR)}")
    kinds = [kind for is_kind, kind in _SPECIAL if is_kind(mode)]
    if target.is_symlink() and target.parent.resolve() == Path("/dev"):
        kinds = ["a link of the system"]  # such as /dev/stdout, whatever it leads to
    if kinds:
        raise PlaceError(f"cannot write {target}: it is {kinds[0]}; name a regular file, or a new one")


def require_apart(outputs: Mapping[str, Path | None], inputs: Mapping[str, Path | None]) -> None:
    """Raise PlaceError where a command would replace one of its own inputs, or write two outputs to one place.

    Both name paths by what the user typed them for, such as `--out`; None is not given. The same file is found by any
    path: relative, through a symbolic link, or as a hard link. A file in a folder of inputs is an input, except a
    `.onnx`: a model may stand beside its data. Also raises PlaceError where an output may not be replaced.
    """
    written: dict[str, Path] = {}
    for name, path in outputs.items():
        if path is None:
            continue
        require_replaceable(path)
        for other, taken in {**inputs, **written}.items():
            if taken is not None and _same(path, taken):
                raise PlaceError(
                    f"{name} {path} is the same file as {other} {taken}, which would be lost: name another"
                )
        for other, folder in inputs.items():
            if folder is not None and path.suffix != ".onnx" and _is_in(path, folder):
                raise PlaceError(f"{name} {path} is a file of {other} {folder}, which would be lost: name another")
        written[name] = path


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them does not exist
        return one.resolve() == other.resolve()


def _is_in(path: Path, folder: Path) -> bool:
    return path.exists() and folder.is_dir() and path.resolve().is_relative_to(folder.resolve())


def publish(content: bytes, target: Path, prove: Callable[[Path], _Proof]) -> _Proof:
    """Write `content` to `target` if `prove` accepts it, and return the result of `prove`.

    `prove` gets the complete file under a temporary name in the same folder. If it raises, or the process dies at any
    moment, `target` stays as it was.
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
    """An empty file beside `target`, to be written and renamed. It is removed at the end if it was not renamed.

    Raises FileError if it cannot be created.
    """
    lock, draft = _create(target)
    try:
        yield draft
    finally:
        # The error to report is the one that stopped the job, not one from this clean-up.
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def remove_left_behind(target: Path) -> None:
    """Remove the drafts of jobs that were killed while they wrote to `target`, as far as possible."""
    if sys.platform == "win32":
        return
    name = re.compile(rf"\.{re.escape(target.name)}-[a-z0-9_]{{8}}\.tmp")
    with contextlib.suppress(OSError):  # a writable folder may not be readable
        for path in [target.parent / entry for entry in os.listdir(target.parent) if name.fullmatch(entry)]:
            with contextlib.suppress(OSError):
                _remove_unlocked(path)


def _create(target: Path) -> tuple[int | None, Path]:
    """A new draft, and the descriptor that holds its lock. Tries again if another job removes the draft first.

    On Windows there is no lock, and an open file cannot be renamed.
    """
    while True:
        try:
            descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-", suffix=".tmp")
        except OSError as error:
            raise FileError(f"cannot write into {target.parent}: {error.strerror}") from None
        if sys.platform == "win32":
            os.close(descriptor)
            return None, Path(name)
        if _lock(descriptor) is not False and os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)
        Path(name).unlink(missing_ok=True)


def _remove_unlocked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if _lock(descriptor):
            path.unlink()
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock the file until it is closed. False if another process holds the lock, None without support for locks."""
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
    """Write and sync the content."""
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the rename survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
