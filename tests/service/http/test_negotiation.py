"""`Accept` and `Accept-Encoding`: the highest weight wins, 0 forbids, and the order decides among equals."""

import pytest

from service.http.compression import encoding_for
from service.http.predict_request import accepted_form

JSON, RAW, NPY = "application/json", "application/octet-stream", "application/x-npy"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", JSON),
        ("text/html", JSON),
        (f"{NPY};q=0, text/html", JSON),
        ("*/*;q=0", JSON),
        ("APPLICATION/X-NPY", NPY),
        (f"text/html, {NPY}", NPY),
        (f"{RAW};q=0.1, {JSON};q=0.9", JSON),
        (f"{RAW};q=0.001, */*;q=0", RAW),
        (f"{JSON}, {NPY}", JSON),
        (f"{NPY}, {JSON}", NPY),
        (f"{NPY}, */*", NPY),
        (f"*/*, {NPY}", JSON),
        (f"{NPY};q=0.5, */*;q=0.8", JSON),
        (f"{NPY};q=0, */*", JSON),
        (f"{JSON};q=0.000, */*;q=0.1", RAW),
        (f"{JSON};q=0, {RAW}; Q = 0.0, application/*", NPY),
        (f"{NPY};charset=utf-8;q=.3, {RAW};q=much", RAW),
    ],
)
def test_form_of_an_answer(accept: str | None, form: str) -> None:
    assert accepted_form({} if accept is None else {b"accept": accept.encode()}) == form


@pytest.mark.parametrize(
    ("accept_encoding", "encoding"),
    [
        ("", None),
        ("br, zstd", None),
        ("gzip, deflate", "gzip"),
        ("gzip;q=0.000, deflate;q=0.001", "deflate"),
        ("gzip;q=0.5, deflate;q=0.6", "deflate"),
        ("*;q=0, GZIP", "gzip"),
        ("gzip;q=0, *", None),
        ("gzip, identity", "gzip"),
        ("gzip;q=0.5, identity;q=0.6", None),
        ("identity;q=0, gzip;q=0", None),  # nothing is acceptable: the answer as it is
    ],
)
def test_encoding_of_an_answer(accept_encoding: str, encoding: str | None) -> None:
    assert encoding_for(accept_encoding, bytes(2000)) == encoding
    assert encoding_for(accept_encoding, b"short") is None
