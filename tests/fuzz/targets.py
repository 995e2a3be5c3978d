"""The fuzz targets: code that reads a client's bytes, each with a property that holds for any bytes.

A target takes bytes. It returns whether they were accepted, and raises anything but a RequestError. What is accepted
must equal what a plain parser gives (`json`, `zlib`, numpy); otherwise the target raises AssertionError.
"""

import io
import json
import math
import re
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from service.contract.errors import RequestError
from service.contract.inputs import Column, FeaturesInput, ImageInput
from service.http.compression import decompressed
from service.http.open_inference.request import read
from service.http.open_inference.tensors import DTYPES
from service.inference.readers.features import FeatureReader
from service.inference.readers.images import ImageReader
from service.inference.readers.json_body import json_object, may_hold_booleans
from service.inference.readers.limits import PixelCount
from service.inference.readers.multipart import files, with_boundary
from service.inference.readers.npy import read_npy
from service.inference.readers.picture_file import decoded
from service.inference.readers.picture_fitting import Background
from service.inference.readers.picture_formats import FORMATS, format_of
from service.inference.readers.picture_options import PictureOptions

MAX_INPUTS = 4  # in a request, low enough to be exceeded
MAX_BYTES = 4096  # of a decompressed body
MAX_PIXELS = 4096
GREY = ImageInput(height=2, width=3)
COLOUR = ImageInput(height=2, width=1, channels=3)
COLUMNS = [Column(name="age"), Column(name="sex", categories=["f", "m"])]
TABLE = FeaturesInput(width=2, columns=COLUMNS, missing="mean")
EMBEDDING = FeaturesInput(width=2)


def plain_json(text: bytes) -> Any:
    """JSON by Python's parser, as strict as ours: no NaN, no repeated key."""
    return json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_refuse, parse_int=_integer)


def json_body(data: bytes) -> bool:
    """`json_object`."""
    value = json_object(data, "inputs")
    assert _same(value, plain_json(data)), value
    return True


def grey_images(data: bytes) -> bool:
    """The `inputs` of a JSON body, as grey images."""
    return _images(data, GREY)


def colour_images(data: bytes) -> bool:
    """The `inputs` of a JSON body, as images in colour."""
    return _images(data, COLOUR)


def table_rows(data: bytes) -> bool:
    """The `inputs` of a JSON body, as rows of a table in which values may be missing."""
    inputs = _inputs(data)
    result = FeatureReader(TABLE, MAX_INPUTS).from_json(inputs)
    rows = [list(map(row.get, ("age", "sex"))) if isinstance(row, dict) else row for row in inputs]
    codes: dict[Any, float] = {"f": 0.0, "m": 1.0, None: math.nan}  # missing, which is not unknown
    expected = [[_float32(age), codes.get(sex, -1.0)] for age, sex in rows]
    assert all(sex is None or type(sex) is str for _, sex in rows)
    assert np.array_equal(result, np.array(expected, np.float32), equal_nan=True), (result, expected)
    return True


def embeddings(data: bytes) -> bool:
    """The `inputs` of a JSON body, as embeddings."""
    inputs = _inputs(data)
    result = FeatureReader(EMBEDDING, MAX_INPUTS).from_json(inputs)
    assert result.dtype == np.float32
    assert result.shape == (len(inputs), 2)
    assert np.isfinite(result).all()
    for row, values in zip(result, inputs, strict=True):
        if isinstance(values, list):
            assert row.tolist() == [_float32(value) for value in values]
    return True


def npy(data: bytes) -> bool:
    """`read_npy`."""
    result = read_npy(data, ("uint8", "float32", "float64"), [(2, 3), (6,)])
    expected = np.load(io.BytesIO(data), allow_pickle=False)
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    assert np.array_equal(result, expected, equal_nan=True)
    return True


def raw_rows(data: bytes) -> bool:
    """Raw bytes, as rows of a table."""
    result = FeatureReader(TABLE, MAX_INPUTS).from_body(data, "application/octet-stream")
    expected = np.frombuffer(data, "<f4").reshape(-1, 2)
    assert np.array_equal(result[:, 0], expected[:, 0], equal_nan=True)
    assert np.isin(result[:, 1], (-1, 0, 1)).all()
    assert not np.isinf(result).any()
    return True


def multipart(data: bytes) -> bool:
    """A content type's parameters, to the first line's end, and the form that follows."""
    parameters, _, body = data.partition(b"\n")
    media_type = with_boundary("multipart/form-data;" + parameters.decode("latin-1"))
    result = files(body, media_type, MAX_INPUTS)
    boundary = media_type.partition("=")[2].encode("latin-1")
    line = rb"--" + re.escape(boundary)
    assert 1 <= len(result) <= MAX_INPUTS
    at = body.index(b"--" + boundary)  # a preamble is ignored
    for file in result:
        begin = body.index(b"\r\n\r\n", at) + 4
        end = re.compile(rb"\r\n" + line + rb"(?=--|[ \t]*\r\n)").search(body, begin)
        assert end is not None
        assert file.content == body[begin : end.start()]
        at = end.end()
    return True


def picture(data: bytes) -> bool:
    """Picture files, fitted to the model's size or not, by the first byte."""
    raw, kind = data[1:], GREY if data[:1] < b"\x80" else COLOUR
    declared = format_of(raw) or FORMATS[0]
    background: Background | None = "black" if data[:1] and data[0] & 1 else None
    result = decoded(raw, "body", declared, kind, pixels=PixelCount(MAX_PIXELS, None), background=background)
    assert (result.dtype.name, result.shape) == ("uint8", kind.row_shape)
    if background is None:
        assert np.array_equal(result, np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(raw)))))
    return True


def infer(data: bytes) -> bool:
    """A body of `/v2`, after two bytes with the length of its JSON: 0 to 32,767, or negative for none."""
    length_or_none, body = int.from_bytes(data[:2], "big", signed=True), data[2:]
    length = length_or_none if length_or_none >= 0 else None
    result = read(body, length, GREY)
    if length == 0:
        assert result.inputs.tobytes() == body
        return True
    tensor = plain_json(body[:length])["inputs"][0]
    if "binary_data_size" in (tensor.get("parameters") or {}):
        expected: list[Any] = np.frombuffer(body[length:], DTYPES[tensor["datatype"]]).tolist()
    else:
        expected = list(_flat(tensor["data"]))
    assert result.inputs.dtype == np.uint8
    assert result.inputs.tolist() == expected
    return True


def gzip_body(data: bytes) -> bool:
    """A compressed body, gzip or deflate by the first byte."""
    encoding, window = ("gzip", 31) if data[:1] < b"\x80" else ("deflate", 15)
    result = decompressed(data[1:], encoding, MAX_BYTES)
    assert len(result) <= MAX_BYTES
    assert result == zlib.decompress(data[1:], window)
    return True


TARGETS: dict[str, Callable[[bytes], bool]] = {
    target.__name__: target
    for target in (
        json_body,
        grey_images,
        colour_images,
        table_rows,
        embeddings,
        npy,
        raw_rows,
        multipart,
        picture,
        infer,
        gzip_body,
    )
}


def accepts(name: str, data: bytes) -> bool:
    """Whether the target accepts `data`. Any exception but a RequestError is a fault of the service."""
    try:
        return TARGETS[name](data)
    except RequestError as error:
        refusal = str(error)
    assert len(refusal) < 2000, "a refusal is always short"
    return False


def _images(data: bytes, kind: ImageInput) -> bool:
    inputs = _inputs(data)
    options = PictureOptions(check_booleans=may_hold_booleans(data))
    result = ImageReader(kind, MAX_INPUTS, MAX_PIXELS, options).from_json(inputs)
    assert (result.dtype.name, result.shape) == ("uint8", (len(inputs), *kind.row_shape))
    for image, values in zip(result, inputs, strict=True):
        if isinstance(values, list):
            flat = list(_flat(values))
            assert all(type(value) is int for value in flat)
            assert image.ravel().tolist() == flat
    return True


def _inputs(data: bytes) -> list[Any]:
    """The list of inputs; empty if the body has no list."""
    value = json_object(data, "inputs").get("inputs")
    return value if isinstance(value, list) else []


def _flat(value: Any) -> Any:
    for inner in value:
        if isinstance(inner, list):
            yield from _flat(inner)
        else:
            yield inner


def _float32(value: Any) -> float:
    assert value is None or type(value) in (int, float)
    return float("nan") if value is None else float(np.float32(float(value)))


def _same(a: Any, b: Any) -> bool:
    """Equal, with equal types at every level: 1, 1.0 and true differ."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


def _integer(digits: str) -> int | float:
    """A JSON integer of more than 64 bits is a float, as in orjson."""
    value = int(digits)
    return value if -(2**63) <= value < 2**64 else float(digits)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), "a repeated key"
    return dict(pairs)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


if __name__ == "__main__":
    sys.stdout.write("\n".join(TARGETS))
