"""Reads NumPy's `.npy` format, versions 1 to 3: one plain array of numbers, never a pickle.

The header is the text of a Python dictionary. It is matched, not evaluated, and the data is not copied. NumPy's own
reader evaluates the header, accepts more than it should from a client, and has no public function for version 3.
"""

import math
import re
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidValue, MalformedBody
from service.contract.validation import truncated

_MAGIC = b"\x93NUMPY"
_MAX_HEADER_BYTES = 1024  # NumPy writes 118 for an array of numbers
# As in Python: only these blanks, matching quotation marks, no leading zeros.
_BLANK = b" \t\n"
_B, _NUMBER = b"[%b]*" % _BLANK, rb"(?:0|[1-9]\d*)"
_SHAPE = rb"\(%b(?:%b%b,%b)*(?:%b%b)?\)" % (_B, _NUMBER, _B, _B, _NUMBER, _B)
_VALUE = rb"""'[^']*'|"[^"]*"|\[[^\]]*\]|True|False|%b""" % _SHAPE
_ENTRY = re.compile(rb"""%b(['"])(descr|fortran_order|shape)\1%b:%b(%b)%b(?:,|$)""" % (_B, _B, _B, _VALUE, _B))
_DESCR = re.compile(r"[<>|=]?[?biufcmMOSUV]\d{0,3}")  # a type without fields


def read_npy(body: bytes, dtypes: Sequence[str], row_shapes: Sequence[tuple[int, ...]]) -> NDArray[Any]:
    """The array in `body`, as a view: of one of `dtypes`, and of shape `[N, *row_shape]` for one of `row_shapes`."""
    header, data = _split(body)
    fields = _fields(header)
    dtype = _dtype(fields[b"descr"], dtypes)
    shape = tuple(int(digits) for digits in re.findall(rb"\d+", fields[b"shape"]))
    if not shape or shape[1:] not in row_shapes:
        allowed = " or ".join(str(["N", *row]).replace("'", "") for row in row_shapes)
        raise InvalidValue("body", f" is an array of shape {truncated(str(list(shape)))}: it must be {allowed}")
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise MalformedBody(f"the body has {len(data)} bytes of data: its .npy header states {expected}")
    values = np.frombuffer(data, dtype)
    # In Fortran order the first axis varies fastest.
    return values.reshape(shape[::-1]).T if fields[b"fortran_order"] == b"True" else values.reshape(shape)


def _split(body: bytes) -> tuple[bytes, memoryview]:
    """The text of the header, and the data after it."""
    if not body.startswith(_MAGIC):
        raise MalformedBody("the body is not a .npy file: it does not start as one")
    major, minor = body[len(_MAGIC) : len(_MAGIC) + 2].ljust(2, b"\0")
    if major not in (1, 2, 3) or minor:
        version = f"{major}.{minor}" if minor else major
        raise MalformedBody(f"the body is a .npy file of version {version}: 1, 2 and 3 are supported")
    length = struct.Struct("<H" if major == 1 else "<I")
    start = len(_MAGIC) + 2 + length.size
    if len(body) < start:
        raise MalformedBody("the body is a truncated .npy file")
    (size,) = length.unpack_from(body, len(_MAGIC) + 2)
    if size > _MAX_HEADER_BYTES:
        raise MalformedBody(f"the body is a .npy file with a header of {size} bytes: at most {_MAX_HEADER_BYTES}")
    if len(body) < start + size:
        raise MalformedBody("the body is a truncated .npy file")
    return body[start : start + size], memoryview(body)[start + size :]


def _fields(header: bytes) -> dict[bytes, bytes]:
    """The three entries of the header, as text."""
    text = header.strip(_BLANK)
    inner, fields, position = text[1:-1].strip(_BLANK), dict[bytes, bytes](), 0
    while match := _ENTRY.match(inner, position):
        fields[match[2]] = match[3]
        position = match.end()
    is_valid = (
        text[:1] + text[-1:] == b"{}"
        and position == len(inner)
        and len(fields) == 3
        and fields[b"fortran_order"] in (b"True", b"False")
        and fields[b"shape"].startswith(b"(")
        and fields[b"descr"][:1] in (b"'", b'"', b"[")
    )
    if not is_valid:
        raise MalformedBody("the body is a .npy file whose header does not have descr, fortran_order and shape")
    return fields


def _dtype(descr: bytes, allowed: Sequence[str]) -> "np.dtype[Any]":
    text = descr.decode("latin-1").strip("'\"")
    try:
        dtype = np.dtype(text) if _DESCR.fullmatch(text) else None
    except (TypeError, ValueError):
        dtype = None
    if dtype is None or dtype.name not in allowed:
        name = truncated(text) if dtype is None else dtype.name
        raise InvalidValue("body", f" is an array of {name}: it must be {' or '.join(allowed)}")
    return dtype
