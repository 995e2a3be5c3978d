"""Decodes one PNG or JPEG file within limits: uint8 `[H, W]`, or `[H, W, 3]` for a model of RGB."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.contract.errors import InvalidValue, MalformedBody, TooLarge, UnsupportedType
from service.contract.inputs import ImageInput
from service.inference.readers.picture_fitting import CONVERTIBLE, Background, Mode, fitted


def decoded(
    raw: bytes, field: str, declared: str, kind: ImageInput, *, max_pixels: int, background: Background | None
) -> NDArray[np.uint8]:
    """The picture, fitted to the model's size and centred on `background`; unchanged if that is None.

    `declared` is its format, PNG or JPEG. Raises TooLarge for more than `max_pixels`, before decoding; MalformedBody
    for a broken file; UnsupportedType for more than 8 bits per channel; and InvalidValue for another size or mode that
    may not be fitted.
    """
    image = _opened(raw, field, declared, max_pixels)
    mode: Mode = "L" if kind.channels == 1 else "RGB"
    if background is None:
        return _unchanged(image, field, kind, mode)
    if image.mode not in CONVERTIBLE:
        raise UnsupportedType(f"{field} is an image of mode {image.mode}: 8 bits per channel are supported")
    return np.asarray(fitted(image, mode, (kind.width, kind.height), background))


def _opened(raw: bytes, field: str, declared: str, max_pixels: int) -> Image.Image:
    try:
        # Only this format: Pillow's other parsers never see the bytes.
        image = Image.open(io.BytesIO(raw), formats=(declared,))
        if image.width * image.height > max_pixels:  # only the header has been read
            raise TooLarge(
                f"{field} is an image of {image.width}x{image.height} pixels: at most {max_pixels} are allowed"
            )
        image.load()
    except TooLarge:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # Pillow's own limits, which are higher
        raise TooLarge(f"{field} is an image of far too many pixels: at most {max_pixels}") from None
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
