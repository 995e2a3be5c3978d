"""The bytes of a model's file, before anything is made of them."""

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from service.contract.errors import ModelError

MAX_MODEL_BYTES = 256 * 1024 * 1024

# A tensor kept outside the file names the other file under the protobuf key "location". The byte before the
# key is the end of its length: 8, or 0 where the length is written with padding. JSON allows neither raw, so
# the manifest's own text can never match. onnxruntime would follow such a name into the working directory.
_EXTERNAL_DATA = b"location"
_BEFORE_IT = frozenset({0, 8})
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


def with_outputs(file: bytes, tensors: Sequence[str]) -> bytes:
    """The bytes of the model with inner tensors of its graph as further outputs, after those that it has.

    Protobuf merges messages whose bytes stand one after the other, and joins the lists in them. So a ModelProto that
    holds nothing but these outputs is appended, without a library that writes such files.

    >>> with_outputs(b"", ["ab"])
    b':\\x06b\\x04\\n\\x02ab'
    """
    model, graph_output, name = 7, 12, 1  # field numbers in ModelProto, GraphProto and ValueInfoProto
    outputs = [_field(graph_output, _field(name, tensor.encode())) for tensor in tensors]
    return file + _field(model, b"".join(outputs))


def _field(number: int, content: bytes) -> bytes:
    assert len(content) < 128, "a longer one has its length in several bytes"
    return bytes([number << 3 | 2, len(content)]) + content  # 2: a field that begins with its length
