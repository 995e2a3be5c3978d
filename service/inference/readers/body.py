"""Content types, and checks that all kinds of input share."""

import base64
import binascii

from service.contract.errors import InvalidValue, TooLarge

# Those of pictures are in `images.py`.
JSON = "application/json"
RAW = "application/octet-stream"
NPY = "application/x-npy"


def check_count(field: str, count: int, max_count: int, noun: str) -> None:
    """Refuse an empty or too large batch before memory is allocated for it."""
    if not count:
        raise InvalidValue(field, f" is empty: it must hold at least one {noun}")
    if count > max_count:
        raise TooLarge(f"{field} holds {count} {noun}s: at most {max_count} are allowed in one request")


def count_inputs(body: bytes, size: int, noun: str) -> int:
    """The number of inputs of `size` bytes each in a raw body."""
    if not body or len(body) % size:
        raise InvalidValue("body", f" has {len(body)} bytes: it must hold whole {noun}s of {size} bytes each")
    return len(body) // size


def from_base64(text: str, field: str) -> bytes:
    """Decode a JSON string in base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidValue(field, f" is not base64: {error}") from None
