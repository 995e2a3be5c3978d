"""Reads one image from JSON numbers, nested or flat, and names the first invalid number."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from service.contract.errors import InvalidValue
from service.contract.inputs import ImageInput
from service.contract.validation import display

_PIXEL_RULE = {1: "a pixel is an integer from 0 to 255", 3: "a pixel is three integers from 0 to 255"}


def pixel_bytes(value: list[Any], field: str, kind: ImageInput, *, check_booleans: bool = True) -> bytes:
    """The `kind.values` bytes of an image, from a list of that many integers or of rows of pixels.

    `check_booleans` may be off if the JSON has no booleans: the search takes longer than everything else.
    """
    if value and isinstance(value[0], list):
        return _nested(value, field, kind, check_booleans)
    if len(value) != kind.values:
        raise InvalidValue(
            field, f" has {len(value)} numbers: an image is {kind.values} integers, or {rows_of_pixels(kind)}"
        )
    return _bytes(value, field, kind, check_booleans)


def rows_of_pixels(kind: ImageInput) -> str:
    """The nested form in words, for messages.

    >>> rows_of_pixels(ImageInput(height=2, width=4, channels=3))
    '2 rows of 4 pixels of 3'
    """
    return f"{kind.height} rows of {kind.width}" + (" pixels of 3" if kind.channels == 3 else "")


def pixels_schema(kind: ImageInput) -> list[dict[str, Any]]:
    """The JSON Schemas of the two forms, flat and nested."""
    number = {"type": "integer", "minimum": 0, "maximum": 255}
    row = _list_of(number if kind.channels == 1 else _list_of(number, kind.channels), kind.width)
    return [
        {**_list_of(number, kind.values), "description": "The pixels, row by row, in one list."},
        {**_list_of(row, kind.height), "description": "The rows of pixels."},
    ]


def _list_of(items: dict[str, Any], count: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": count, "maxItems": count}


def _nested(rows: list[Any], field: str, kind: ImageInput, check_booleans: bool) -> bytes:
    if len(rows) != kind.height:
        raise InvalidValue(field, f" has {len(rows)} rows: an image has {kind.height}")
    noun = "integers" if kind.channels == 1 else "pixels"
    for y, row in enumerate(rows):
        if not isinstance(row, list):
            raise InvalidValue(f"{field}[{y}]", f" is {display(row)}: a row is {kind.width} {noun}")
        if len(row) != kind.width:
            unit = "numbers" if kind.channels == 1 else "pixels"
            raise InvalidValue(f"{field}[{y}]", f" has {len(row)} {unit}: a row has {kind.width}")
    read = _rows_of_grey if kind.channels == 1 else _rows_of_colour
    return read(rows, field, kind, check_booleans)


def _rows_of_grey(rows: list[list[Any]], field: str, kind: ImageInput, check_booleans: bool) -> bytes:
    return _joined(rows, lambda row, y: _bytes(row, f"{field}[{y}]", kind, check_booleans), check_booleans)


def _rows_of_colour(rows: list[list[Any]], field: str, kind: ImageInput, check_booleans: bool) -> bytes:
    for y, row in enumerate(rows):
        for x, pixel in enumerate(row):
            if not isinstance(pixel, list) or len(pixel) != 3:
                raise InvalidValue(f"{field}[{y}][{x}]", f" is {display(pixel)}: {_PIXEL_RULE[3]}")
    pixels = list(chain.from_iterable(rows))
    return _joined(
        pixels,
        lambda p, i: _bytes(p, f"{field}[{i // kind.width}][{i % kind.width}]", kind, check_booleans),
        check_booleans,
    )


def _joined(parts: list[list[Any]], read_one: Callable[[list[Any], int], bytes], check_booleans: bool) -> bytes:
    """The bytes of all parts at once; one by one only to name an invalid number."""
    try:
        return _fast_bytes(list(chain.from_iterable(parts)), check_booleans)
    except (TypeError, ValueError):
        return b"".join(read_one(part, i) for i, part in enumerate(parts))


def _fast_bytes(values: Sequence[Any], check_booleans: bool) -> bytes:
    # bytes() raises for anything but integers from 0 to 255, except that it takes True for 1.
    if check_booleans and bool in set(map(type, values)):
        raise TypeError
    return bytes(values)


def _bytes(values: list[Any], field: str, kind: ImageInput, check_booleans: bool) -> bytes:
    try:
        return _fast_bytes(values, check_booleans)
    except (TypeError, ValueError):
        i, value = next((i, v) for i, v in enumerate(values) if type(v) is not int or not 0 <= v <= 255)
        raise InvalidValue(f"{field}[{i}]", f" is {display(value)}: {_PIXEL_RULE[kind.channels]}") from None
