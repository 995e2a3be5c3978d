"""Valid and broken NumPy files."""

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray


def npy(values: NDArray[Any], version: tuple[int, int] | None = None) -> bytes:
    """The `.npy` file of an array, as NumPy writes it."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, values, version)
    return stream.getvalue()


def npy_of(header: bytes, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """A `.npy` file with this text as its header."""
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + data
