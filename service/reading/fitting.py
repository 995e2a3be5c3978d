"""How a picture of any size and colour becomes one of the model's: those it learns from, and those it is asked about.

What a picture lies on is black, and so is what shows through it.
"""

from typing import Literal

from PIL import Image, ImageOps

Mode = Literal["L", "RGB"]

# Modes whose conversion to 8 bits a channel loses nothing but colour and transparency.
CONVERTIBLE = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})


def converted(image: Image.Image, mode: Mode) -> Image.Image:
    """To grey or RGB, on black; `image` is of a mode in CONVERTIBLE."""
    if image.has_transparency_data:
        backdrop = Image.new("RGBA", image.size, "black")
        image = Image.alpha_composite(backdrop, image.convert("RGBA"))
    return image.convert(mode)


def fitted(image: Image.Image, mode: Mode, size: tuple[int, int]) -> Image.Image:
    """Turned upright, converted, shrunk or enlarged to fit `size` (width, height), and centred on black."""
    upright = converted(ImageOps.exif_transpose(image), mode)
    return ImageOps.pad(upright, size, Image.Resampling.LANCZOS, color=0)
