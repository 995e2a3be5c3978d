"""NumPy files as bodies: files by NumPy and other writers are read, all others are refused."""

import io
import pickle
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from service.contract.errors import InvalidValue, MalformedBody
from service.inference.readers.npy import read_npy
from tests.service.arrays import npy, npy_of

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)
FILE = npy(VALUES)


def _read(body: bytes) -> np.ndarray:
    return read_npy(body, ("float16", "float32", "float64"), [(3,)])


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_files_that_numpy_writes(dtype: str, version: tuple[int, int], order: Any) -> None:
    result = _read(npy(np.asarray(VALUES.astype(dtype), order=order), version))
    assert result.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(result, VALUES)


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        b"{'shape':(2,3),'fortran_order':False,'descr':'<f4'}",
        b'  { "descr" : "<f4" ,\n"fortran_order" : False, "shape" : ( 2 , 3 , ) }  \n',
    ],
)
def test_other_writers_spacing_and_order(header: bytes) -> None:
    np.testing.assert_array_equal(_read(npy_of(header, VALUES.tobytes())), VALUES)


def test_no_rows() -> None:
    assert _read(npy(np.empty((0, 3), np.float32))).shape == (0, 3)


def test_data_is_not_copied() -> None:
    assert not _read(FILE).flags.owndata


def test_truncated_anywhere() -> None:
    for length in range(len(FILE)):
        with pytest.raises(MalformedBody, match="the body"):
            print(f"cut to {length} bytes:", _read(FILE[:length]))  # noqa: T201  # shown where it is read


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_changed_byte_is_refused_or_read(flip: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for position in range(128):
            changed = FILE[:position] + bytes([FILE[position] ^ flip]) + FILE[position + 1 :]
            with suppress(InvalidValue, MalformedBody):
                assert _read(changed).shape[1] == 3, f"byte {position}"


UNSOUND = [
    b"",
    b"{}",
    b"{'descr': '<f4', 'fortran_order': False}",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)",
    b"{'descr': '<f4', 'fortran_order': (2,), 'shape': (2, 3)}",
    b"{'descr': (4,), 'fortran_order': False, 'shape': (2, 3)}",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': True}",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 'x'}",
    b"{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': (2, 3)}",
    b"[" * 1000,
    b"(" * 1000 + b"1," * 12,
]


@pytest.mark.parametrize("header", UNSOUND, ids=range(len(UNSOUND)))
def test_unsound_header(header: bytes) -> None:
    with pytest.raises(MalformedBody, match="whose header does not have descr, fortran_order and shape"):
        _read(npy_of(header, VALUES.tobytes()))


@pytest.mark.parametrize(
    "entry", [b"\"fortran_order': False,", b"'fortran_order':\x0bFalse,", b"'fortran_order': False, 'shape': (02, 3),"]
)
def test_header_that_numpy_refuses_is_refused(entry: bytes) -> None:
    body = npy_of(b"{'descr': '<f4', %b 'shape': (2, 3)}" % entry, VALUES.tobytes())
    with pytest.raises(ValueError, match="Cannot parse header"):
        np.load(io.BytesIO(body))
    with pytest.raises(MalformedBody):
        _read(body)


def test_version_and_header_of_unreasonable_size() -> None:
    with pytest.raises(MalformedBody, match=r"a \.npy file of version 9: 1, 2 and 3 are supported"):
        _read(npy_of(b"{}", version=b"\x09\x00"))
    with pytest.raises(MalformedBody, match=r"a \.npy file of version 1\.16: 1, 2 and 3 are supported"):
        _read(npy_of(b"{}", version=b"\x01\x10"))
    with pytest.raises(MalformedBody, match="with a header of 1025 bytes: at most 1024"):
        _read(npy_of(b" " * 1025))
    with pytest.raises(MalformedBody, match="with a header of 4294967295 bytes: at most 1024"):
        _read(b"\x93NUMPY\x02\x00" + b"\xff" * 4)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (VALUES.astype(np.int64), "int64"),
        (VALUES.astype(np.uint8), "uint8"),
        (VALUES.astype(bool), "bool"),
        (VALUES.astype(complex), "complex128"),
        (VALUES.astype("S3"), "bytes24"),
        (np.zeros((2, 3), "M8[s]"), r"<M8\[s\]"),
        (np.zeros((2, 3), [("a", "<f4"), ("b", "<f4")]), r"\[\('a', '<f4'\), \('b', '<f4'\)\]"),
    ],
)
def test_other_types(values: np.ndarray, name: str) -> None:
    with pytest.raises(InvalidValue, match=rf"^body is an array of {name}: it must be float16 or float32 or float64$"):
        _read(npy(values))


def test_pickles_are_never_opened() -> None:
    with pytest.raises(InvalidValue, match="body is an array of object"):
        _read(npy(np.array([[1, "a", None]], dtype=object)))
    with pytest.raises(MalformedBody, match="does not start as one"):
        _read(pickle.dumps(VALUES))
    for descr in (b"'|O'", b"'|V12'", b"'f4,f4'", b"'<f3'", b"'float32'", b"''", b"'" + b"x" * 500 + b"'"):
        with pytest.raises(InvalidValue, match="body is an array of "):
            _read(npy_of(b"{'descr': " + descr + b", 'fortran_order': False, 'shape': (2, 3)}", VALUES.tobytes()))


@pytest.mark.parametrize("shape", [(), (3,), (2, 2), (2, 3, 1), (1,) * 40])
def test_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidValue, match=r"body is an array of shape \[.*: it must be \[N, 3\]$") as refused:
        _read(npy(np.zeros(shape, np.float32)))
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("rows", [1, 3, 10**6, 10**300])
@pytest.mark.parametrize("order", [b"True", b"False"])
def test_header_that_contradicts_the_data(rows: int, order: bytes) -> None:
    header = b"{'descr': '<f4', 'fortran_order': %b, 'shape': (%d, 3), }" % (order, rows)
    with pytest.raises(MalformedBody, match="the body has 24 bytes of data"):
        _read(npy_of(header, VALUES.tobytes()))
