"""Turns a decoded picture upright, to 8 bits a channel and to the model's size, in training and in service alike.

Padding and transparent pixels take the colour of the background: black, or white if the picture is inverted afterwards.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Mode = Literal["L", "RGB"]
Background = Literal["black", "white"]

_WIDE = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})  # grey of 16 bits, or of whole numbers that may be so
GREY = frozenset({"1", "L", "LA"}) | _WIDE
# Modes whose conversion to 8 bits per channel loses only colour and transparency.
_NARROW = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
# Where Pillow keeps an orientation that it has not applied itself, as it does for TIFF.
_ORIENTED = frozenset({"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"})


class PixelsError(Exception):
    """No rule turns the pixels into 8 bits a channel. The message completes "is a picture"."""


def check_mode(image: Image.Image) -> None:
    """Raise PixelsError if no rule says how to convert the image; its header suffices."""
    if image.mode not in _NARROW and image.mode not in _WIDE:
        raise PixelsError(f"of mode {image.mode}: 8 bits a channel are supported, and 16 bits of grey")


def turn_upright(image: Image.Image) -> None:
    """Decode the image, and turn it as its EXIF orientation says."""
    image.load()
    if not _ORIENTED.isdisjoint(image.info):  # to look for an orientation takes a seventh of decoding a small PNG
        ImageOps.exif_transpose(image, in_place=True)


def converted(image: Image.Image, mode: Mode, background: Background = "black") -> Image.Image:
    """The image as grey or RGB, on `background`. Raises PixelsError if no rule says how."""
    check_mode(image)
    if image.mode in _WIDE:
        return _narrowed(image, background).convert(mode)
    if image.has_transparency_data:
        backdrop = Image.new("RGBA", image.size, background)
        image = Image.alpha_composite(backdrop, image.convert("RGBA"))
    return image.convert(mode)


def fitted(image: Image.Image, mode: Mode, size: tuple[int, int], background: Background = "black") -> Image.Image:
    """The upright image converted, scaled to fit `size` (width, height), and centred on `background`.

    Raises PixelsError as `converted` does.
    """
    return ImageOps.pad(converted(image, mode, background), size, Image.Resampling.LANCZOS, color=background)


def eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """16 bits as 8, v / 257 rounded: the inverse of a repeated byte, which is how 8 bits become 16.

    >>> eight_bits(np.array([0, 128, 129, 0x2020, 65535])).tolist()
    [0, 0, 1, 32, 255]
    """
    narrow: NDArray[np.uint8] = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return narrow


def _narrowed(image: Image.Image, background: Background) -> Image.Image:
    values = np.asarray(image)
    if values.dtype.itemsize > 2 and (values.min() < 0 or values.max() > 65535):
        raise PixelsError("of whole numbers outside 0 to 65535: 16 bits of grey are supported")
    grey = eight_bits(values)
    if "transparency" in image.info:
        grey[values == image.info["transparency"]] = 255 if background == "white" else 0
    return Image.fromarray(grey)
