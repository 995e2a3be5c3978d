"""Reads images: uint8 `[N, H, W]` or `[N, H, W, 3]`, 0 = black, 255 = white.

They come as JSON numbers (`pixels.py`), base64, raw bytes, NumPy arrays, or picture files, one or several in a form.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidValue, MalformedBody, UnsupportedType
from service.contract.inputs import ImageInput
from service.contract.validation import display, truncated
from service.inference.readers.body import (
    NPY,
    RAW,
    base64_in,
    base64_schemas,
    check_count,
    count_inputs,
    from_base64,
)
from service.inference.readers.multipart import MULTIPART, files
from service.inference.readers.npy import read_npy
from service.inference.readers.picture_formats import ANY_PICTURE, BY_MEDIA_TYPE, NAMES, Format, format_of
from service.inference.readers.picture_options import NO_PICTURE_OPTIONS, PictureOptions
from service.inference.readers.pixels import pixel_bytes, pixels_schema, rows_of_pixels

Images = NDArray[np.uint8]
_OTHER = f"none of {NAMES}"


@dataclass(frozen=True, slots=True)
class ImageReader:
    """Reads images in every form that a request may have."""

    kind: ImageInput
    max_batch_size: int
    max_image_pixels: int
    options: PictureOptions = NO_PICTURE_OPTIONS

    @property
    def media_types(self) -> tuple[str, ...]:
        """The accepted content types besides JSON."""
        return (*BY_MEDIA_TYPE, ANY_PICTURE, MULTIPART, RAW, NPY)

    @property
    def resizes(self) -> bool:
        """Always: files of any size can be fitted."""
        return True

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of one image."""
        text = base64_schemas(f"a picture file ({NAMES}), or of the pixels as bytes")
        return {"anyOf": [*pixels_schema(self.kind), *text]}

    @property
    def example(self) -> str:
        """A black image as base64 of its pixels."""
        return base64.b64encode(bytes(self.kind.values)).decode()

    def with_options(self, options: PictureOptions) -> "ImageReader":
        """A reader that follows these options."""
        return self if options == self.options else replace(self, options=options)

    def from_json(self, inputs: Sequence[object], field: str = "inputs") -> Images:
        """Read a JSON list whose elements are nested rows, flat pixels, or base64 of a file or of raw pixels."""
        check_count(field, len(inputs), self.max_batch_size, "image")
        images = [self._from_json_value(value, f"{field}[{i}]") for i, value in enumerate(inputs)]
        return self.options.inverted(np.frombuffer(b"".join(images), np.uint8).reshape(-1, *self.kind.row_shape))

    def from_body(self, body: bytes, media_type: str) -> Images:
        """Read a body of one of `media_types`; that of a form includes its boundary."""
        if media_type == RAW:
            return self.options.inverted(self.from_bytes(body))
        if media_type == NPY:
            return self.options.inverted(self.from_npy(body))
        if media_type in BY_MEDIA_TYPE or media_type == ANY_PICTURE:
            declared = BY_MEDIA_TYPE.get(media_type) or _detected(body, "body")
            return self.options.inverted(self._decode(body, "body", declared)[np.newaxis])
        return self.options.inverted(self._from_form(body, media_type))

    def from_bytes(self, body: bytes) -> Images:
        """Read N images as N * H * W bytes, row by row, or three bytes for each pixel for a model of RGB."""
        check_count("body", count_inputs(body, self.kind.values, "image"), self.max_batch_size, "image")
        return np.frombuffer(body, np.uint8).reshape(-1, *self.kind.row_shape)

    def from_npy(self, body: bytes) -> Images:
        """Read a NumPy array of N images, with pixels in a flat list or in rows."""
        images = read_npy(body, ["uint8"], [self.kind.row_shape, (self.kind.values,)])
        check_count("body", len(images), self.max_batch_size, "image")
        return np.ascontiguousarray(images).reshape(-1, *self.kind.row_shape)

    def from_columns(self, columns: Mapping[str, NDArray[Any]], first_row: int = 0) -> Images:
        """Read N images from one array: uint8 `[N, H * W]` or `[N, H * W * 3]`, or `[N]` of bytes.

        The bytes are picture files, or pixels.
        """
        ((name, rows),) = columns.items()
        if rows.ndim == 2:
            if rows.shape[1] != self.kind.values:
                raise InvalidValue(name, f" has rows of {rows.shape[1]} pixels: an image has {self.kind.values}")
            return self.options.inverted(np.ascontiguousarray(rows).reshape(-1, *self.kind.row_shape))
        images = [self._from_raw(raw, f"row {first_row + i}: {truncated(name)}") for i, raw in enumerate(rows)]
        return self.options.inverted(np.frombuffer(b"".join(images), np.uint8).reshape(-1, *self.kind.row_shape))

    def unknown_categories(self, _: Images) -> None:
        """None: there are no columns."""

    def _from_form(self, body: bytes, media_type: str) -> Images:
        """Each file of a form is one image."""
        parts = files(body, media_type, self.max_batch_size)
        images = np.empty((len(parts), *self.kind.row_shape), np.uint8)
        for image, (field, content) in zip(images, parts, strict=True):
            image[:] = self._decode(content, field, _detected(content, field))
        return images

    def _from_json_value(self, value: object, field: str) -> bytes:
        if isinstance(value, list):
            return pixel_bytes(value, field, self.kind, check_booleans=self.options.check_booleans)
        text = base64_in(value)
        if text is None:
            raise InvalidValue(
                field,
                f" is {display(value)}: an image is {rows_of_pixels(self.kind)} integers, "
                f'{self.kind.values} integers, or base64: "..." or {{"b64": "..."}}',
            )
        return self._from_raw(from_base64(text, field), field)

    def _from_raw(self, raw: bytes, field: str) -> bytes:
        detected = format_of(raw)
        if detected is not None:
            return self._decode(raw, field, detected).tobytes()
        if len(raw) != self.kind.values:
            raise InvalidValue(
                field,
                f" holds {len(raw)} bytes: it must be a picture file ({NAMES}) or the {self.kind.values} raw bytes",
            )
        return raw

    def _decode(self, raw: bytes, field: str, declared: Format) -> Images:
        detected = format_of(raw)
        if detected != declared:
            found = f"{detected.name}: send it as {detected.media_type}" if detected else _OTHER if raw else "empty"
            raise MalformedBody(f"{field} was declared as {declared.name} but is {found}")
        # Imported with the first picture: Pillow is a twentieth of the start-up time, and many services never need it.
        from service.inference.readers.picture_file import decoded

        background = self.options.background if self.options.resize else None
        return decoded(raw, field, declared, self.kind, max_pixels=self.max_image_pixels, background=background)


def _detected(raw: bytes, field: str) -> Format:
    """The format of a file. Raises UnsupportedType if it has none of FORMATS."""
    detected = format_of(raw)
    if detected is None:
        raise UnsupportedType(f"{field} is {_OTHER if raw else 'empty'}")
    return detected
