"""What the forms of a body have in common, whatever kind of input it holds."""

import base64
import binascii

from service.contract.errors import InvalidValue, TooLarge

# The content types; pictures have theirs in `images.py`.
JSON = "application/json"
RAW = "application/octet-stream"
NPY = "application/x-npy"


def check_count(field: str, count: int, most: int, noun: str) -> None:
    """Refuse a batch of no inputs or of too many, before anything is allocated for it."""
    if not count:
        raise InvalidValue(field, f" is empty: it must hold at least one {noun}")
    if count > most:
        raise TooLarge(f"{field} holds {count} {noun}s: at most {most} are taken in one request")


def whole_number_of(body: bytes, size: int, noun: str) -> int:
    """How many inputs of `size` bytes each a raw body holds."""
    if not body or len(body) % size:
        raise InvalidValue("body", f" has {len(body)} bytes: it must be a whole number of {noun}s, {size} bytes each")
    return len(body) // size


def from_base64(text: str, field: str) -> bytes:
    """The bytes that a JSON string stands for."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidValue(field, f" is not base64: {error}") from None
