"""The bytes of a model's file, before anything is made of them."""

import hashlib
import os
import stat
import weakref
from pathlib import Path

from service.contract.errors import ModelError

MAX_MODEL_BYTES = 256 * 1024 * 1024

# A tensor kept outside the file names the other file under the protobuf key "location". The byte before the
# key is the end of its length: 8, or 0 where the length is written with padding. JSON allows neither raw, so
# the manifest's own text can never match. onnxruntime would follow such a name into the working directory.
_EXTERNAL_DATA = b"location"
_BEFORE_IT = frozenset({0, 8})
_HELD_SHARE = 0.25  # of the descriptors that the process may have: the rest is for connections
_LOOKED_THROUGH = 1 << 24  # bytes at a time: while they are looked through, no other thread runs


def sha256(file: bytes) -> str:
    """In hex digits."""
    return hashlib.sha256(file).hexdigest()


def read_model(path: Path, max_bytes: int) -> bytes:
    """The file. Raises ModelError where it cannot be read or is larger than `max_bytes`; then nothing is read.

    What is no file, as a pipe that nobody writes to, is not waited for.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ModelError(f"cannot read the model {path}: it is not a file")
            file = b"" if found.st_size > max_bytes else stream.read(max_bytes + 1)
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror}") from None
    if max(found.st_size, len(file)) > max_bytes:
        raise ModelError(f"{path} is larger than the limit of {max_bytes} bytes")
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def refers_elsewhere(file: bytes) -> bool:
    """Whether a tensor of the file lies in another."""
    at = 0
    while at < len(file):
        found = file.find(_EXTERNAL_DATA, at, at + _LOOKED_THROUGH)
        if found > 0 and file[found - 1] in _BEFORE_IT:
            return True
        # Pieces overlap, so that it cannot lie between two of them.
        at = found + 1 if found >= 0 else at + _LOOKED_THROUGH - len(_EXTERNAL_DATA)
    return False


class HeldFile:
    """A file that can be read again after another has taken its place: it stays until nobody holds it open.

    It costs a descriptor, so that it is not held where they are few; nor on Windows, where nothing could replace it.
    """

    def __init__(self, path: Path, file: bytes) -> None:
        """Holds the `file` that was read at `path`; the bytes themselves where another lies there by now."""
        self._descriptor: int | None = None
        self._file = b""
        if os.name == "posix":
            try:
                descriptor = _without_waiting(str(path), os.O_RDONLY)
            except OSError:
                self._file = file
                return
            if not _is(descriptor, file):
                self._file = file
            elif _are_enough(descriptor):
                self._descriptor = descriptor
                weakref.finalize(self, os.close, descriptor)
                return
            os.close(descriptor)

    def read(self, max_bytes: int) -> bytes:
        """What is there, up to so many bytes; nothing where it could not be held."""
        if self._descriptor is None:
            return self._file[:max_bytes]
        with open(self._descriptor, "rb", closefd=False) as stream:
            stream.seek(0)
            return stream.read(max_bytes)


def _is(descriptor: int, file: bytes) -> bool:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size != len(file):
        return False
    with open(descriptor, "rb", closefd=False) as stream:
        return stream.read() == file


def _are_enough(descriptor: int) -> bool:
    """Whether one more may be held: the lowest that is free is always the next."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return most == resource.RLIM_INFINITY or descriptor < most * _HELD_SHARE
