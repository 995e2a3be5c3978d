"""The IDX format of MNIST's family: big-endian header, then unsigned bytes.

A header is the magic number, 0x0000 08 (unsigned byte) and the number of axes, then the axes' lengths as uint32.
"""

import gzip
import hashlib
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError


@dataclass(frozen=True, slots=True)
class IdxFile:
    """A file to expect: its name without `.gz`, its shape, and the SHA-256 of its unpacked bytes."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    def read(self, folder: Path, remedy: str) -> NDArray[np.uint8]:
        """Read the file from `folder`, packed (`.gz`) or not, as uint8 of `shape`.

        Raises DataError, which ends with `remedy`, if the file is missing or truncated, or if its magic number, shape
        or checksum is not the expected one.
        """
        path = self.find(folder)
        if path is None:
            raise DataError(f"{folder / self.name}.gz is missing. {remedy}")
        content = unpacked(path, remedy)
        array = parse(content, path, remedy)
        if array.shape != self.shape:
            raise DataError(f"{path}: expected shape {self.shape}, found {array.shape}. {remedy}")
        checksum = hashlib.sha256(content).hexdigest()
        if checksum != self.sha256:
            raise DataError(f"{path}: expected unpacked content of SHA-256 {self.sha256}, found {checksum}. {remedy}")
        return array

    def find(self, folder: Path) -> Path | None:
        """The file in `folder`, packed or not; None if it is missing."""
        return next((p for p in (folder / f"{self.name}.gz", folder / self.name) if p.is_file()), None)


def parse(content: bytes, path: Path, remedy: str = "") -> NDArray[np.uint8]:
    """Parse unpacked IDX bytes; `path` is named in the message of DataError.

    >>> parse(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9]), Path("x"))
    array([[7, 8, 9]], dtype=uint8)
    """
    if len(content) < 4 or content[:3] != b"\x00\x00\x08" or not 1 <= content[3] <= 3:
        raise DataError(
            f"{path}: expected the magic number of an IDX file of bytes, 0x00000801 to 0x00000803, "
            f"found 0x{content[:4].hex()}. {remedy}"
        )
    axes = content[3]
    header = 4 + 4 * axes
    if len(content) < header:
        raise DataError(f"{path}: expected a header of {header} bytes, found {len(content)}. {remedy}")
    shape = struct.unpack(f">{axes}I", content[4:header])
    expected, size = math.prod(shape), len(content) - header
    if expected != size:
        raise DataError(f"{path}: expected {expected} bytes for shape {shape}, found {size}. {remedy}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def unpacked(path: Path, remedy: str) -> bytes:
    """The bytes of a file, packed (`.gz`) or not. Raises DataError, which ends with `remedy`."""
    try:
        packed = path.read_bytes()
        return gzip.decompress(packed) if path.suffix == ".gz" else packed
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: expected a complete gzip file, found: {error}. {remedy}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}. {remedy}") from None
