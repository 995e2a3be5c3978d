"""A plain PNG, whole or broken, is read as Pillow reads it."""

import io
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.inference.readers.plain_png import plain_png
from tests.service.pictures import chunk, encoded

SHAPES = [(7, 5), (7, 5, 3)]
PIXELS = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
HEAD = b"\x89PNG\r\n\x1a\n"


def _pixels(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return PIXELS[tuple(slice(size) for size in shape)] if len(shape) == 3 else PIXELS[:, :, 0]


def _filtered(shape: tuple[int, ...]) -> bytes:
    """A PNG whose rows use each of the five filters. Any bytes are valid pixels of any filter."""
    rows = b"".join(bytes([y % 5]) + row.tobytes() for y, row in enumerate(_pixels(shape)))
    form = b"\0\0\0\x05\0\0\0\x07\x08" + bytes([2 if len(shape) == 3 else 0]) + bytes(3)
    return HEAD + chunk(b"IHDR", form) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _by_pillow(raw: bytes) -> NDArray[np.uint8] | None:
    try:
        return np.asarray(Image.open(io.BytesIO(raw), formats=("PNG",)))
    except Exception:  # of any type
        return None


def _is_read(raw: bytes, shape: tuple[int, ...]) -> bool:
    """Whether it is read. If so, Pillow must read the same."""
    pixels = plain_png(raw, shape)
    if pixels is not None:
        np.testing.assert_array_equal(pixels, _by_pillow(raw), strict=True)
    return pixels is not None


@pytest.mark.parametrize("shape", SHAPES)
def test_good_files_are_read(shape: tuple[int, ...]) -> None:
    raw = encoded(Image.fromarray(_pixels(shape)))
    np.testing.assert_array_equal(plain_png(raw, shape), _pixels(shape), strict=True)
    assert _is_read(_filtered(shape), shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_spoilt_files_are_read_as_pillow_reads_them_or_left_to_it(shape: tuple[int, ...]) -> None:
    raw = _filtered(shape)
    spoilt = [raw[:i] + bytes([raw[i] ^ bits]) + raw[i + 1 :] for i in range(len(raw)) for bits in (1, 128, 255)]
    spoilt += [raw[:i] for i in range(len(raw))] + [raw[:i] + raw[i + 1 :] for i in range(len(raw))]
    read = [_is_read(each, shape) for each in spoilt]
    assert 0 < sum(read) < len(read)  # Pillow ignores the checksum of the pixels


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [0, 1, 3, 8])
def test_too_few_or_too_many_pixels(shape: tuple[int, ...], count: int) -> None:
    row = b"\0" + _pixels(shape)[0].tobytes()
    start = _filtered(shape)[:33]
    for data in (zlib.compress(row * count), zlib.compress(row * count)[:-6], zlib.compress(bytes(1_000_000))):
        _is_read(start + chunk(b"IDAT", data) + chunk(b"IEND", b""), shape)


def test_other_forms_are_left_to_pillow() -> None:
    grey, row = Image.fromarray(_pixels((7, 5))), zlib.compress(bytes(6) * 7)
    others = [encoded(grey.convert(mode)) for mode in ("1", "P", "LA", "RGB", "I;16")]
    others += [encoded(grey, transparency=0), encoded(grey, dpi=(72, 72)), encoded(grey.resize((5, 6)))]
    interlaced = chunk(b"IHDR", b"\0\0\0\x05\0\0\0\x07\x08\0\0\0\x01")
    others += [HEAD + interlaced + chunk(b"IDAT", row) + chunk(b"IEND", b"")]
    others += [b"", _filtered((7, 5))[:33] + chunk(b"IDAT", row[:4]) + chunk(b"IDAT", row[4:]) + chunk(b"IEND", b"")]
    assert [plain_png(raw, (7, 5)) for raw in others] == [None] * len(others)
