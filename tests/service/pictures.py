"""Valid and broken picture files."""

import io
import struct
import zlib
from typing import Any

from PIL import Image


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The file of an image."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def blank(mode: str = "L", size: tuple[int, int] = (28, 28), kind: str = "PNG") -> bytes:
    """The file of a black image."""
    return encoded(Image.new(mode, size), kind)


def chunk(name: bytes, data: bytes) -> bytes:
    """A PNG chunk with a correct checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def announcing(width: int, height: int) -> bytes:
    """A small PNG whose header claims a size, grey, 8 bits per pixel."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
