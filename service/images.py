"""Images as they arrive, turned into the model's input: uint8 `[N, H, W]`, 0 = black, 255 = white.

Everything that depends on the input kind `image` on the way in is here: JSON numbers, base64, raw bytes, and
PNG or JPEG files. It knows nothing of HTTP; what it refuses, it refuses by the exceptions of `errors.py`.
"""

import base64
import binascii
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from service.errors import InvalidValue, MalformedBody, TooLarge, UnsupportedType
from service.inputs import ImageInput
from service.validation import shown

Images = NDArray[np.uint8]
Format = Literal["PNG", "JPEG"]

_SIGNATURES: dict[bytes, Format] = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
_PIXEL_RULE = "a pixel is an integer from 0 to 255"
# Modes whose conversion to 8 grey bits loses nothing but colour and transparency.
_CONVERTIBLE = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})


@dataclass(frozen=True, slots=True)
class ImageReader:
    """Reads every form of image that a request may carry, within limits."""

    kind: ImageInput
    max_batch_size: int
    max_image_pixels: int

    def from_json(self, inputs: Sequence[object], *, resize: bool) -> Images:
        """Read the elements of a JSON list: nested rows, flat pixels, or base64 of a file or raw bytes."""
        if not inputs:
            raise InvalidValue("inputs", " is empty: it must hold at least one image")
        self._check_count("inputs", len(inputs))
        rows = [self._from_json_value(value, f"inputs[{i}]", resize) for i, value in enumerate(inputs)]
        return np.frombuffer(b"".join(rows), np.uint8).reshape(-1, self.kind.height, self.kind.width)

    def from_bytes(self, body: bytes) -> Images:
        """Read N images as N * H * W bytes, row by row."""
        pixels = self.kind.values
        if not body or len(body) % pixels:
            raise InvalidValue(
                "body", f" has {len(body)} bytes: it must be a whole number of images, {pixels} bytes each"
            )
        self._check_count("body", len(body) // pixels)
        return np.frombuffer(body, np.uint8).reshape(-1, self.kind.height, self.kind.width)

    def from_file(self, body: bytes, declared: Format, *, resize: bool) -> Images:
        """Read one PNG or JPEG file."""
        return self._decode(body, "body", declared, resize)[np.newaxis]

    def _check_count(self, field: str, count: int) -> None:
        if count > self.max_batch_size:
            raise TooLarge(f"{field} holds {count} images: at most {self.max_batch_size} are taken in one request")

    def _from_json_value(self, value: object, field: str, resize: bool) -> bytes:
        if isinstance(value, str):
            return self._from_base64(value, field, resize)
        if not isinstance(value, list):
            raise InvalidValue(
                field,
                f" is {shown(value)}: an image is {self.kind.height} rows of {self.kind.width} integers, "
                f"{self.kind.values} integers, or a base64 string",
            )
        if value and isinstance(value[0], list):
            return self._from_rows(value, field)
        if len(value) != self.kind.values:
            raise InvalidValue(
                field,
                f" has {len(value)} numbers: an image is {self.kind.values} integers, "
                f"or {self.kind.height} rows of {self.kind.width}",
            )
        return _pixel_bytes(value, field)

    def _from_rows(self, rows: list[object], field: str) -> bytes:
        if len(rows) != self.kind.height:
            raise InvalidValue(field, f" has {len(rows)} rows: an image has {self.kind.height}")
        checked: list[list[object]] = []
        for y, row in enumerate(rows):
            if not isinstance(row, list):
                raise InvalidValue(f"{field}[{y}]", f" is {shown(row)}: a row is {self.kind.width} integers")
            if len(row) != self.kind.width:
                raise InvalidValue(f"{field}[{y}]", f" has {len(row)} numbers: a row has {self.kind.width}")
            checked.append(row)
        try:
            return _fast_pixel_bytes(list(chain.from_iterable(checked)))
        except (TypeError, ValueError):
            # Slowly once more, row by row, to name the element that is wrong.
            return b"".join(_pixel_bytes(row, f"{field}[{y}]") for y, row in enumerate(checked))

    def _from_base64(self, text: str, field: str, resize: bool) -> bytes:
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidValue(field, f" is not base64: {error}") from None
        found = _sniff(raw)
        if found is not None:
            return self._decode(raw, field, found, resize).tobytes()
        if len(raw) != self.kind.values:
            raise InvalidValue(
                field,
                f" holds {len(raw)} bytes: it must be a PNG, a JPEG or the {self.kind.values} raw bytes",
            )
        return raw

    def _decode(self, raw: bytes, field: str, declared: Format, resize: bool) -> Images:
        found = _sniff(raw)
        if found != declared:
            raise MalformedBody(f"{field} was declared as {declared} and is {found or 'neither PNG nor JPEG'}")
        try:
            # An explicit list of formats: Pillow's other parsers never see the bytes.
            image = Image.open(io.BytesIO(raw), formats=(declared,))
            self._check_pixels(image, field)  # the header alone is read so far
            image.load()
        except TooLarge:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # Pillow's own, higher limits
            raise TooLarge(f"{field} is an image of far too many pixels: at most {self.max_image_pixels}") from None
        except Exception as error:  # a broken file raises whatever its parser met: SyntaxError, struct.error, ...
            raise MalformedBody(f"{field} is not a readable {declared}: {error or type(error).__name__}") from None
        return self._fit(image, field) if resize else self._as_it_is(image, field)

    def _check_pixels(self, image: Image.Image, field: str) -> None:
        if image.width * image.height > self.max_image_pixels:
            raise TooLarge(
                f"{field} is an image of {image.width}x{image.height} pixels: at most {self.max_image_pixels} are taken"
            )

    def _as_it_is(self, image: Image.Image, field: str) -> Images:
        if image.size != (self.kind.width, self.kind.height) or image.mode != "L":
            raise InvalidValue(
                field,
                f" is an image of {image.width}x{image.height} pixels, mode {image.mode}: it must be "
                f"{self.kind.width}x{self.kind.height} grey (mode L), or sent with resize=true",
            )
        return np.asarray(image)

    def _fit(self, image: Image.Image, field: str) -> Images:
        """Turn upright, convert to grey on black, shrink or enlarge to fit, and centre on black."""
        if image.mode not in _CONVERTIBLE:
            raise UnsupportedType(f"{field} is an image of mode {image.mode}: 8 bits a channel are taken")
        upright = ImageOps.exif_transpose(image)
        if upright.has_transparency_data:
            # The training images lie on black; so does what shows through.
            backdrop = Image.new("RGBA", upright.size, "black")
            upright = Image.alpha_composite(backdrop, upright.convert("RGBA"))
        grey = upright.convert("L")
        return np.asarray(ImageOps.pad(grey, (self.kind.width, self.kind.height), Image.Resampling.LANCZOS, color=0))


def _sniff(raw: bytes) -> Format | None:
    return next((name for signature, name in _SIGNATURES.items() if raw.startswith(signature)), None)


def _fast_pixel_bytes(values: list[object]) -> bytes:
    # bytes() alone would take True for 1, so the types are compared as well.
    if set(map(type, values)) != {int}:
        raise TypeError
    return bytes(values)  # type: ignore[arg-type]  # raises ValueError outside 0..255


def _pixel_bytes(values: list[object], field: str) -> bytes:
    try:
        return _fast_pixel_bytes(values)
    except (TypeError, ValueError):
        i, value = next((i, v) for i, v in enumerate(values) if type(v) is not int or not 0 <= v <= 255)
        raise InvalidValue(f"{field}[{i}]", f" is {shown(value)}: {_PIXEL_RULE}") from None
