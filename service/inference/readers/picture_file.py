"""Decodes one picture file within limits: uint8 `[H, W]`, or `[H, W, 3]` for a model of RGB."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.contract.errors import InvalidValue, MalformedBody, TooLarge, UnsupportedType
from service.contract.inputs import ImageInput
from service.inference.readers.limits import MAX_LOOP_PIXELS, NeedsThread, PixelCount
from service.inference.readers.picture_fitting import Background, Mode, PixelsError, fitted, turn_upright
from service.inference.readers.picture_formats import Format
from service.inference.readers.plain_png import plain_png


def decoded(
    raw: bytes, field: str, declared: Format, kind: ImageInput, *, pixels: PixelCount, background: Background | None
) -> NDArray[np.uint8]:
    """The picture, upright, fitted to the model's size and centred on `background`; not fitted if that is None.

    Raises TooLarge for more than `pixels` allows, before decoding; MalformedBody for a broken file; UnsupportedType for
    pixels that no rule turns into 8 bits a channel; and InvalidValue for another size or mode that may not be fitted.
    """
    if kind.height * kind.width <= MAX_LOOP_PIXELS:
        plain = plain_png(raw, kind.row_shape)
        if plain is not None:  # there is nothing to fit
            pixels.add(field, kind.width, kind.height)
            return plain
    image = _opened(raw, field, declared.name, pixels)
    mode: Mode = "L" if kind.channels == 1 else "RGB"
    if background is None:
        return _unchanged(image, field, kind, mode)
    try:
        return np.asarray(fitted(image, mode, (kind.width, kind.height), background))
    except PixelsError as error:
        raise UnsupportedType(f"{field} is an image {error}") from None


def _opened(raw: bytes, field: str, declared: str, pixels: PixelCount) -> Image.Image:
    try:
        # Only this format: Pillow's other parsers never see the bytes.
        image = Image.open(io.BytesIO(raw), formats=(declared,))
        pixels.add(field, image.width, image.height)  # only the header has been read
        turn_upright(image)
    except (TooLarge, NeedsThread):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # Pillow's own limits, which are higher
        raise TooLarge(f"{field} is an image of far too many pixels: at most {pixels.max_image_pixels}") from None
    except Exception as error:  # of any type: SyntaxError, struct.error, ...
        raise MalformedBody(f"{field} is not a readable {declared}: {error or type(error).__name__}") from None
    return image


def _unchanged(image: Image.Image, field: str, kind: ImageInput, mode: Mode) -> NDArray[np.uint8]:
    if image.size != (kind.width, kind.height) or image.mode != mode:
        form = "grey (mode L)" if mode == "L" else "in colour (mode RGB)"
        raise InvalidValue(
            field,
            f" is an image of {image.width}x{image.height} pixels, mode {image.mode}: it must be "
            f"{kind.width}x{kind.height} {form}, or sent with resize=true",
        )
    return np.asarray(image)
