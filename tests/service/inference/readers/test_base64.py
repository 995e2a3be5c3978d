"""Base64 in the forms that programs write."""

import base64

import pytest

from service.inference.readers.body import from_base64

RAW = bytes(range(256)) * 2  # both alphabets differ in it, and two bytes are left of the last three
TEXT = base64.b64encode(RAW).decode()
URL_SAFE = base64.urlsafe_b64encode(RAW).decode()


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"data:image/png;base64,{TEXT}",
        f"DATA:image/svg+xml;charset=utf-8;BASE64,{URL_SAFE}",
        f"data:;base64,{base64.encodebytes(RAW).decode()}",
        base64.encodebytes(RAW).decode(),
        base64.encodebytes(RAW).decode().replace("\n", "\r\n"),
        f"\r\n{TEXT} \n",
        URL_SAFE,
        URL_SAFE.rstrip("="),
        TEXT.rstrip("="),
        f"{TEXT[:-1]}\n=",
    ],
)
def test_every_form_has_the_same_bytes(text: str) -> None:
    assert TEXT.endswith("8=")
    assert from_base64(text, "inputs[0]") == RAW
