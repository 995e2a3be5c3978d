"""One PNG or JPEG file, decoded within limits: uint8 `[H, W]`, or `[H, W, 3]` for a model of colours."""

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
    """The picture, fitted to the model's size and centred on `background`; as it is where that is None.

    `declared` is its format, PNG or JPEG. Raises TooLarge for more than `max_pixels` before they are decoded,
    MalformedBody for a broken file, UnsupportedType for more than 8 bits a channel, and InvalidValue for a picture that
    would have to be fitted and is not to be.
    """
    image = _opened(raw, field, declared, max_pixels)
    mode: Mode = "L" if kind.channels == 1 else "RGB"
    if background is None:
        return _as_it_is(image, field, kind, mode)
    if image.mode not in CONVERTIBLE:
        raise UnsupportedType(f"{field} is an image of mode {image.mode}: 8 bits a channel are taken")
    return np.asarray(fitted(image, mode, (kind.width, kind.height), background))


def _opened(raw: bytes, field: str, declared: str, max_pixels: int) -> Image.Image:
    try:
        # An explicit list of formats: Pillow's other parsers never see the bytes.
        image = Image.open(io.BytesIO(raw), formats=(declared,))
        if image.width * image.height > max_pixels:  # the header alone is read so far
            raise TooLarge(
                f"{field} is an image of {image.width}x{image.height} pixels: at most {max_pixels} are taken"
            )
        image.load()
    except TooLarge:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # Pillow's own, higher limits
        raise TooLarge(f"{field} is an image of far too many pixels: at most {max_pixels}") from None
    except Exception as error:  # a broken file raises whatever its parser met: SyntaxError, struct.error, ...
        raise MalformedBody(f"{field} is not a readable {declared}: {error or type(error).__name__}") from None
    return image


def _as_it_is(image: Image.Image, field: str, kind: ImageInput, mode: Mode) -> NDArray[np.uint8]:
    if image.size != (kind.width, kind.height) or image.mode != mode:
        form = "grey (mode L)" if mode == "L" else "in colour (mode RGB)"
        raise InvalidValue(
            field,
            f" is an image of {image.width}x{image.height} pixels, mode {image.mode}: it must be "
            f"{kind.width}x{kind.height} {form}, or sent with resize=true",
        )
    return np.asarray(image)
