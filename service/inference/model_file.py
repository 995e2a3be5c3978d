"""The bytes of a model's file, before they are parsed as a model."""

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from service.contract.errors import ModelError

MAX_MODEL_BYTES = 256 * 1024 * 1024

# A tensor stored elsewhere has the other file's name under the protobuf key "location". onnxruntime would read that
# file from the working directory. The byte before the key ends its length: 8, or 0 where the length is padded. JSON
# allows neither byte in a string, so the manifest's text cannot match.
_EXTERNAL_DATA = b"location"
_PRECEDING_BYTES = frozenset({0, 8})
_CHUNK_BYTES = 1 << 24  # searched at a time: bytes.find holds the interpreter lock


def sha256(file: bytes) -> str:
    """The SHA-256 in hex digits."""
    return hashlib.sha256(file).hexdigest()


def read_model(path: Path, max_bytes: int) -> bytes:
    """The bytes of the file. Raises ModelError if it cannot be read or is larger than `max_bytes`.

    A file that is too large is not read at all. A pipe without a writer does not block.
    """
    try:
        with open(path, "rb", opener=_open_nonblocking) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ModelError(f"cannot read the model {path}: it is not a file")
            file = b"" if status.st_size > max_bytes else stream.read(max_bytes + 1)
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror}") from None
    if max(status.st_size, len(file)) > max_bytes:
        raise ModelError(f"{path} is larger than the limit of {max_bytes} bytes")
    return file


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def refers_elsewhere(file: bytes) -> bool:
    """Whether a tensor is stored in another file."""
    start = 0
    while start < len(file):
        match = file.find(_EXTERNAL_DATA, start, start + _CHUNK_BYTES)
        if match > 0 and file[match - 1] in _PRECEDING_BYTES:
            return True
        # Chunks overlap, so no match is split between two.
        start = match + 1 if match >= 0 else start + _CHUNK_BYTES - len(_EXTERNAL_DATA)
    return False


def with_outputs(file: bytes, tensors: Sequence[str]) -> bytes:
    """The bytes of the model with inner tensors of its graph as additional outputs, after its own.

    Protobuf merges concatenated messages and joins their lists. So a ModelProto with only these outputs is appended,
    which needs no library.

    >>> with_outputs(b"", ["ab"])
    b':\\x06b\\x04\\n\\x02ab'
    """
    model, graph_output, name = 7, 12, 1  # field numbers in ModelProto, GraphProto and ValueInfoProto
    outputs = [_field(graph_output, _field(name, tensor.encode())) for tensor in tensors]
    return file + _field(model, b"".join(outputs))


def _field(number: int, content: bytes) -> bytes:
    assert len(content) < 128, "a longer field has a length of several bytes"
    return bytes([number << 3 | 2, len(content)]) + content  # wire type 2: length-delimited
