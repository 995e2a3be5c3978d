"""Encodes and decodes tensors, as JSON or as bytes: row-major, little-endian."""

import math
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidValue
from service.contract.validation import display, truncated

# The element types of an input. No model takes text or booleans as tensors.
DTYPES = {
    **{
        f"{sign}INT{8 * size}": np.dtype(f"<{code}{size}")
        for sign, code in (("U", "u"), ("", "i"))
        for size in (1, 2, 4, 8)
    },
    **{f"FP{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
_MAX_AXES = 8


def datatype_of(dtype: "np.dtype[Any]") -> str:
    """The protocol's name of an element type; BYTES for text.

    >>> [datatype_of(np.dtype(name)) for name in ("uint8", "float32", "bool", "O")]
    ['UINT8', 'FP32', 'BOOL', 'BYTES']
    """
    if dtype.kind == "b":
        return "BOOL"
    return next((name for name, candidate in DTYPES.items() if candidate == dtype), "BYTES")


def checked_shape(shape: object, field: str) -> tuple[int, ...]:
    """A shape from JSON. Raises InvalidValue unless it is a list of whole numbers of at least 0."""
    if not isinstance(shape, list) or not 1 <= len(shape) <= _MAX_AXES:
        raise InvalidValue(field, f" is {display(shape)}: it must be a list of 1 to {_MAX_AXES} sizes")
    for size in shape:
        if type(size) is not int or size < 0:
            raise InvalidValue(field, f" holds {display(size)}: a size is a whole number, at least 0")
    return tuple(shape)


def from_json(
    data: object, shape: tuple[int, ...], datatype: str, field: str, *, check_booleans: bool = True
) -> NDArray[Any]:
    """The numbers of a JSON list, nested as `shape` says or flat, `[product of shape]` in uint8, int64 or float64.

    `check_booleans` may be off if the JSON has no booleans: pixels are then read in a tenth of the time.

    >>> from_json([[1, 2.0], [3, 4]], (2, 2), "UINT8", "data")
    array([1., 2., 3., 4.])
    """
    if datatype == "FP16":
        raise InvalidValue(field, " is of datatype FP16: that is accepted as binary data only")
    if not isinstance(data, list):
        raise InvalidValue(field, f" is {display(data)}: it must be a list of numbers, or binary data must follow")
    flat = _flat(data, shape, field)
    if len(flat) != math.prod(shape):
        raise InvalidValue(field, f" holds {len(flat)} numbers: the shape {list(shape)} has {math.prod(shape)}")
    if not check_booleans:
        with suppress(TypeError, ValueError):  # raised by anything but integers from 0 to 255, except by true
            return np.frombuffer(bytes(flat), np.uint8)
    kinds = set(map(type, flat))
    if not kinds <= {int, float}:
        wrong = next(value for value in flat if type(value) not in (int, float))
        raise InvalidValue(field, f" holds {display(wrong)}: it must hold numbers")
    try:
        return np.array(flat, np.float64 if float in kinds else np.int64)
    except OverflowError:
        raise InvalidValue(field, " holds a number of more than 64 bits") from None


def from_bytes(raw: memoryview, shape: tuple[int, ...], datatype: str, field: str) -> NDArray[Any]:
    """The numbers of binary data, `[product of shape]`, as a view. The length is checked first."""
    dtype = DTYPES[datatype]
    expected = math.prod(shape) * dtype.itemsize
    if len(raw) != expected:
        raise InvalidValue(field, f" has {len(raw)} bytes: the shape {list(shape)} in {datatype} has {expected}")
    return np.frombuffer(raw, dtype)


def cast(values: NDArray[Any], dtype: "np.dtype[Any]", field: str) -> NDArray[Any]:
    """The same numbers in the model's element type. Only a float may be rounded, to a shorter float.

    >>> cast(np.array([0.0, 255.0]), np.dtype(np.uint8), "data")
    array([  0, 255], dtype=uint8)
    """
    if values.dtype == dtype:
        return values
    if dtype.kind == values.dtype.kind == "f":
        with np.errstate(over="ignore"):  # a number that does not fit becomes infinite, which the reader refuses
            return values.astype(dtype)
    wide = values.astype(np.float64)
    if dtype.kind == "f":
        wrong = np.abs(wide) > 2.0 ** (np.finfo(dtype).nmant + 1)  # beyond, not every whole number exists
    else:
        bounds = np.iinfo(dtype)
        wrong = ~((wide >= float(bounds.min)) & (wide < float(bounds.max) + 1) & (wide == np.trunc(wide)))
    if wrong.any():
        i = int(wrong.argmax())
        raise InvalidValue(f"{field}[{i}]", f"={values[i]}: it is not a {dtype.name}, the type of the model's input")
    return values.astype(dtype)


def to_bytes(values: list[Any] | NDArray[np.float32], datatype: str) -> bytes:
    """An array of numbers, booleans, or texts, as binary data; a text is its length in four bytes, then UTF-8.

    >>> to_bytes(["a"], "BYTES"), to_bytes([True, False], "BOOL")
    (b'\\x01\\x00\\x00\\x00a', b'\\x01\\x00')
    """
    if isinstance(values, np.ndarray):
        return (values.byteswap() if sys.byteorder == "big" else values).tobytes()
    if datatype == "BOOL":
        return bytes(values)
    return b"".join(map(_encoded, values))


@lru_cache(maxsize=1024)  # mostly labels
def _encoded(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(4, "little") + encoded


def checked_datatype(datatype: object, field: str) -> str:
    """The name of a numeric element type. Raises InvalidValue for any other."""
    if not isinstance(datatype, str) or datatype not in DTYPES:
        shown = truncated(datatype) if isinstance(datatype, str) else display(datatype)
        raise InvalidValue(field, f" is {shown}: it must be one of {', '.join(DTYPES)}")
    return datatype


def _flat(data: list[Any], shape: Sequence[int], field: str) -> list[Any]:
    if not data or not isinstance(data[0], list):
        return data
    if len(data) != shape[0]:
        raise InvalidValue(field, f" holds {len(data)} lists: the shape is {list(shape)}")
    for size in shape[1:]:
        if not all(isinstance(row, list) and len(row) == size for row in data):
            raise InvalidValue(field, f" is not nested as its shape {list(shape)} says")
        data = list(chain.from_iterable(data))
    return data
