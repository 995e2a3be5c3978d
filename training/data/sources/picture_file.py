"""Decodes one picture file, PNG or JPEG, as an input: uint8 `[H, W]`, or `[H, W, 3]` for RGB."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from service.inference.readers.picture_fitting import CONVERTIBLE, Mode, converted, fitted

SUFFIXES = (".png", ".jpg", ".jpeg")
_GREY = frozenset({"1", "L", "LA"})


class UnreadableError(Exception):
    """The file holds no picture that can be read."""


class UnfitError(Exception):
    """The picture can be read, but differs from the others in size or colour."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The size and colour that every picture is converted to."""

    height: int
    width: int
    colour: bool
    fit: bool  # whether to shrink or enlarge other sizes
    convert: bool  # whether to convert between RGB and grey


def frame_of(path: str) -> tuple[int, int, bool]:
    """Height, width and whether the picture is in colour, from its header. Raises UnreadableError."""
    with _opened(path) as image:
        return image.height, image.width, image.mode not in _GREY


def decode(path: str, frame: Frame) -> NDArray[np.uint8]:
    """Read one file into the frame, resized by the code of the service's `resize`.

    Raises UnreadableError or UnfitError with the reason, without the path.
    """
    with _opened(path) as image:
        if (image.mode not in _GREY) != frame.colour and not frame.convert:
            actual, expected = ("RGB", "grey") if not frame.colour else ("grey", "RGB")
            raise UnfitError(f"is {actual}, the first is {expected}: give --image-colour grey or rgb")
        if not frame.fit and image.size != (frame.width, frame.height):
            raise UnfitError(
                f"is {image.height}x{image.width}, the first is {frame.height}x{frame.width}: give --image-size H W"
            )
        try:
            image.load()
            return np.asarray(_framed(image, frame))
        except Exception as error:  # a broken file raises any kind of error
            raise UnreadableError(f"cannot be read: {_reason(error)}") from None


def _opened(path: str) -> Image.Image:
    try:
        # Read the file at once: for a small picture that is faster than Pillow, which reads piece by piece.
        with open(path, "rb", buffering=0) as file:
            content = io.BytesIO(file.read())
        # An explicit list of formats: Pillow's other parsers never see the bytes.
        image = Image.open(content, formats=("PNG", "JPEG"))
    except UnidentifiedImageError:
        raise UnreadableError("cannot be read: neither PNG nor JPEG") from None
    except Exception as error:
        raise UnreadableError(f"cannot be read: {_reason(error)}") from None
    if image.mode not in CONVERTIBLE:
        mode = image.mode
        image.close()
        raise UnreadableError(f"is of mode {mode}: pictures have 8 bits a channel")
    return image


def _framed(image: Image.Image, frame: Frame) -> Image.Image:
    mode: Mode = "RGB" if frame.colour else "L"
    if frame.fit:
        return fitted(image, mode, (frame.width, frame.height))
    return image if image.mode == mode else converted(image, mode)


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text or type(error).__name__).splitlines()[0]
