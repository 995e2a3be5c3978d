"""How a picture of any size and colour becomes one of the model's: those it learns from, and those it is asked about.

What a picture lies on is black, and so is what shows through it; or white, where it is to be inverted afterwards.
"""

from typing import Literal

from PIL import Image, ImageOps

Mode = Literal["L", "RGB"]
Background = Literal["black", "white"]

# Modes whose conversion to 8 bits a channel loses nothing but colour and transparency.
CONVERTIBLE = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})


def converted(image: Image.Image, mode: Mode, background: Background = "black") -> Image.Image:
    """To grey or RGB, on `background`; `image` is of a mode in CONVERTIBLE."""
    if image.has_transparency_data:
        backdrop = Image.new("RGBA", image.size, background)
        image = Image.alpha_composite(backdrop, image.convert("RGBA"))
    return image.convert(mode)


def fitted(image: Image.Image, mode: Mode, size: tuple[int, int], background: Background = "black") -> Image.Image:
    """Turned upright, converted, shrunk or enlarged to fit `size` (width, height), and centred on `background`."""
    upright = converted(ImageOps.exif_transpose(image), mode, background)
    return ImageOps.pad(upright, size, Image.Resampling.LANCZOS, color=background)
