"""IDX files, valid and broken: one clear line for each problem."""

import gzip
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.data.sources.idx import IdxFile, parse
from training.errors import DataError

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = struct.pack(">4B3I", 0, 0, 8, 3, 2, 3, 4) + PIXELS.tobytes()
FILE = IdxFile("images-idx3-ubyte", (2, 3, 4), hashlib.sha256(CONTENT).hexdigest())
REMEDY = "Get it by magic."


@pytest.mark.parametrize("packed", [True, False])
def test_file_is_read_packed_or_not(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / (FILE.name + ".gz" * packed)
    path.write_bytes(gzip.compress(CONTENT) if packed else CONTENT)
    np.testing.assert_array_equal(FILE.read(tmp_path, REMEDY), PIXELS)


def _packed(content: bytes) -> bytes:
    return gzip.compress(content)


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "expected a complete gzip file|expected the magic number"),
    "no gzip": (lambda: CONTENT, "expected a complete gzip file, found: Not a gzipped file"),
    "gzip cut short": (lambda: _packed(CONTENT)[:-12], "expected a complete gzip file, found: Compressed file ended"),
    "gzip with a wrong checksum": (
        lambda: _packed(CONTENT)[:-8] + bytes(8),
        "expected a complete gzip file, found: CRC",
    ),
    "gzip with a changed byte": (
        lambda: _packed(CONTENT)[:12] + b"\xff" * 4 + _packed(CONTENT)[16:],
        "complete gzip file",
    ),
    "wrong magic number": (lambda: _packed(b"\x00\x00\x0d\x03" + CONTENT[4:]), "magic number .*, found 0x00000d03"),
    "no axes": (lambda: _packed(b"\x00\x00\x08\x00"), "magic number .*, found 0x00000800"),
    "header cut short": (lambda: _packed(CONTENT[:10]), "expected a header of 16 bytes, found 10"),
    "a byte short": (lambda: _packed(CONTENT[:-1]), r"expected 24 bytes for shape \(2, 3, 4\), found 23"),
    "a byte more": (lambda: _packed(CONTENT + b"x"), r"expected 24 bytes for shape \(2, 3, 4\), found 25"),
    "a huge shape": (
        lambda: _packed(struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)),
        "expected 79228162458924105385300197375 bytes",
    ),
    "another shape": (
        lambda: _packed(struct.pack(">4B2I", 0, 0, 8, 2, 6, 4) + PIXELS.tobytes()),
        r"expected shape \(2, 3, 4\), found \(6, 4\)",
    ),
    "another content": (
        lambda: _packed(CONTENT[:-1] + b"x"),
        f"expected unpacked content of SHA-256 {FILE.sha256}, found [0-9a-f]{{64}}",
    ),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_file(tmp_path: Path, content: Callable[[], bytes], message: str) -> None:
    path = tmp_path / f"{FILE.name}.gz"
    path.write_bytes(content())
    with pytest.raises(DataError, match=message) as caught:
        FILE.read(tmp_path, REMEDY)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert text.endswith(REMEDY)
    assert "\n" not in text


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{FILE.name}\.gz is missing\. {REMEDY}"):
        FILE.read(tmp_path, REMEDY)


def test_parse_of_labels() -> None:
    assert parse(b"\x00\x00\x08\x01\x00\x00\x00\x02\x07\x09", Path("labels")).tolist() == [7, 9]
