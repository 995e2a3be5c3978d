"""Content types, and checks that all kinds of input share."""

import base64
import re
from typing import Any

from service.contract.errors import InvalidValue, TooLarge
from service.contract.validation import display

# Those of pictures are in `images.py`.
JSON = "application/json"
RAW = "application/octet-stream"
NPY = "application/x-npy"

_DATA_URI = re.compile("data:[^,]{0,200};base64,", re.IGNORECASE)
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/\-_\r\n]")
_LINE_ENDS = re.compile(r"[\r\n]+")
_URL_SAFE = str.maketrans("-_", "+/")


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


def base64_in(value: object) -> str | None:
    """The base64 in a JSON value: a string, or as TensorFlow Serving writes bytes. None for any other value.

    >>> base64_in("AAA="), base64_in({"b64": "AAA="}), base64_in([0])
    ('AAA=', 'AAA=', None)
    """
    if isinstance(value, dict) and len(value) == 1:
        value = value.get("b64")
    return value if isinstance(value, str) else None


def base64_schemas(content: str) -> list[dict[str, Any]]:
    """The JSON Schemas of the two forms of `base64_in`."""
    text = {"type": "string", "description": f"Base64 of {content}."}
    wrapped = {"type": "object", "properties": {"b64": text}, "required": ["b64"], "additionalProperties": False}
    return [text, {**wrapped, "description": "The same, as TensorFlow Serving writes it."}]


def from_base64(text: str, field: str) -> bytes:
    """Decode base64, also as other programs write it. Raises InvalidValue that says where it is wrong.

    They write it as a `data:` URI, in lines, with `-` and `_` for `+` and `/`, and without the padding.

    >>> from_base64("data:image/png;base64,-_\\r\\n8", "inputs[0]") == from_base64("+/8=", "inputs[0]")
    True
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return _from_other_base64(text, field)


def _from_other_base64(text: str, field: str) -> bytes:
    prefix = _DATA_URI.match(text)
    begin, end = prefix.end() if prefix else 0, len(text.rstrip("= \t\r\n"))
    if wrong := _NO_BASE64.search(text, begin, end):
        # Not ignored, as line ends are: bytes would be missing.
        perhaps = ", which may be a + that was decoded as in a URL" if wrong[0] == " " else ""
        raise InvalidValue(field, f" is not base64: it holds {display(wrong[0])} at index {wrong.start()}{perhaps}")
    digits = _LINE_ENDS.sub("", text[begin:end]).translate(_URL_SAFE)
    if len(digits) % 4 == 1:
        raise InvalidValue(field, f" is not base64: its {len(digits)} characters are one too many, or it was cut off")
    return base64.b64decode(digits + "=" * (-len(digits) % 4))
