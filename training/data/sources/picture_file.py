"""Decodes one picture file as an input: uint8 `[H, W]`, or `[H, W, 3]` for RGB."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.inference.readers.picture_fitting import (
    GREY,
    Mode,
    PixelsError,
    check_mode,
    converted,
    fitted,
    turn_upright,
)
from service.inference.readers.picture_formats import NAMES, format_of

Source = str | bytes | None  # a path, the content of a file, or a cell that holds neither


class UnreadableError(Exception):
    """The file holds no picture that can be read. What precedes a colon is the kind of reason."""


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


def frame_of(source: Source) -> tuple[int, int, bool]:
    """Height, width and whether the picture is in colour, as it stands upright. Raises UnreadableError."""
    with _opened(source) as image:
        _load(image)
        colour = image.mode not in GREY
        _framed(image, Frame(image.height, image.width, colour, fit=False, convert=True))  # it must be convertible
        return image.height, image.width, colour


def decode(source: Source, frame: Frame) -> NDArray[np.uint8]:
    """Read one file into the frame, turned upright and resized by the code of the service's `resize`.

    Raises UnreadableError or UnfitError with the reason, without the path.
    """
    with _opened(source) as image:
        if (image.mode not in GREY) != frame.colour and not frame.convert:
            actual, expected = ("RGB", "grey") if not frame.colour else ("grey", "RGB")
            raise UnfitError(f"is {actual}, the first is {expected}: give --image-colour grey or rgb")
        _load(image)
        if not frame.fit and image.size != (frame.width, frame.height):
            raise UnfitError(
                f"is {image.height}x{image.width}, the first is {frame.height}x{frame.width}: give --image-size H W"
            )
        return np.asarray(_framed(image, frame))


def _opened(source: Source) -> Image.Image:
    content = _content(source)
    kind = format_of(content)
    if kind is None:
        raise UnreadableError(f"not a picture: it is none of {NAMES}" if content else "an empty file")
    try:
        # Only this format: Pillow's other parsers never see the bytes.
        image = Image.open(io.BytesIO(content), formats=(kind.name,))
        check_mode(image)
    except MemoryError:
        raise
    except PixelsError as error:
        raise _without_rule(error) from None
    except Image.DecompressionBombError as error:
        raise UnreadableError(f"too many pixels: {error}") from None
    except Exception as error:  # a broken file raises any kind of error
        raise UnreadableError(f"a damaged {kind.name}: {_first_line(error)}") from None
    return image


def _content(source: Source) -> bytes:
    if source is None:
        raise UnreadableError("no picture is given")
    if isinstance(source, bytes):
        return source
    try:
        # Read the file at once: for a small picture that is faster than Pillow, which reads piece by piece.
        with open(source, "rb", buffering=0) as file:
            return file.read()
    except FileNotFoundError:
        raise UnreadableError("no such file") from None
    except (OSError, ValueError) as error:  # ValueError: the path holds a null character
        raise UnreadableError((isinstance(error, OSError) and error.strerror) or str(error)) from None


def _load(image: Image.Image) -> None:
    try:
        turn_upright(image)
    except MemoryError:
        raise
    except Exception as error:
        raise UnreadableError(f"a damaged {image.format}: {_first_line(error)}") from None


def _framed(image: Image.Image, frame: Frame) -> Image.Image:
    mode: Mode = "RGB" if frame.colour else "L"
    try:
        if frame.fit:
            return fitted(image, mode, (frame.width, frame.height))
        return image if image.mode == mode else converted(image, mode)
    except PixelsError as error:
        raise _without_rule(error) from None


def _without_rule(error: PixelsError) -> UnreadableError:
    return UnreadableError(f"pixels of a kind that is not supported: {error}")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
