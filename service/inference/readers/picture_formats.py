"""The formats of picture files, recognised by their first bytes. Does not import Pillow."""

import re
from typing import NamedTuple


class Format(NamedTuple):
    """A format of picture files."""

    name: str  # as Pillow calls it
    media_type: str
    suffixes: tuple[str, ...]  # of files, in lower case
    signature: re.Pattern[bytes]  # of the first bytes


def _format(name: str, media_type: str, suffixes: str, signature: bytes) -> Format:
    return Format(name, media_type, tuple(suffixes.split()), re.compile(signature, re.DOTALL))


# Of a file with several pictures the first is read. A signature is long enough not to occur in raw pixels by chance.
FORMATS = (
    _format("PNG", "image/png", ".png", rb"\x89PNG\r\n\x1a\n"),
    _format("JPEG", "image/jpeg", ".jpg .jpeg .jpe .jfif", rb"\xff\xd8\xff"),
    _format("WEBP", "image/webp", ".webp", rb"RIFF....WEBP"),
    _format("GIF", "image/gif", ".gif", rb"GIF8[79]a"),
    _format("BMP", "image/bmp", ".bmp", rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    _format("TIFF", "image/tiff", ".tif .tiff", rb"II\*\0|MM\0\*|II\+\0|MM\0\+"),
    _format("AVIF", "image/avif", ".avif", rb"....ftypavi[fs]"),
    _format("PPM", "image/x-portable-anymap", ".pgm .ppm .pnm", rb"P[56]\s+(#[^\n]*\n\s*)*\d"),
)
BY_MEDIA_TYPE = {each.media_type: each for each in FORMATS}
ANY_PICTURE = "image/*"  # as phones declare a file that they have not looked at
OTHER_NAMES = {  # of the same content types, as programs write them
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/x-ms-bmp": "image/bmp",
    "image/x-portable-graymap": "image/x-portable-anymap",
    "image/x-portable-pixmap": "image/x-portable-anymap",
}
SUFFIXES = tuple(suffix for each in FORMATS for suffix in each.suffixes)
NAMES = "PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or PPM"


def format_of(raw: bytes) -> Format | None:
    """The format of a file, by its first bytes; None if it is none of FORMATS.

    >>> format_of(b"GIF89a...").name, format_of(b"text")
    ('GIF', None)
    """
    return next((each for each in FORMATS if each.signature.match(raw)), None)
