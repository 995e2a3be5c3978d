"""Fits a picture of any size and colour to the model's, in training and in service alike.

Padding and transparent pixels take the colour of the background: black, or white if the picture is inverted afterwards.
"""

from typing import Literal

from PIL import Image, ImageOps

Mode = Literal["L", "RGB"]
Background = Literal["black", "white"]

# Modes whose conversion to 8 bits per channel loses only colour and transparency.
CONVERTIBLE = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})


def converted(image: Image.Image, mode: Mode, background: Background = "black") -> Image.Image:
    """The image as grey or RGB, on `background`; its mode must be in CONVERTIBLE."""
    if image.has_transparency_data:
        backdrop = Image.new("RGBA", image.size, background)
        image = Image.alpha_composite(backdrop, image.convert("RGBA"))
    return image.convert(mode)


def fitted(image: Image.Image, mode: Mode, size: tuple[int, int], background: Background = "black") -> Image.Image:
    """The image turned upright, converted, scaled to fit `size` (width, height), and centred on `background`."""
    upright = converted(ImageOps.exif_transpose(image), mode, background)
    return ImageOps.pad(upright, size, Image.Resampling.LANCZOS, color=background)
