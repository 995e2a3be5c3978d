"""Reads a request on ASGI's own scope and messages: headers, body within its limit, content type, query options."""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from service.contract.errors import InvalidValue, TooLarge, UnsupportedType
from service.contract.validation import validated
from service.http.negotiation import LONGEST
from service.http.schemas.predict import QueryOptions
from service.inference.options import NO_OPTIONS, Options
from service.inference.readers.body import JSON
from service.inference.readers.multipart import MULTIPART, with_boundary

Headers = Mapping[bytes, bytes]  # names in lower case; of a repeated header the first value


def headers_of(scope: Scope) -> Headers:
    """The headers of a request."""
    return dict(reversed(scope["headers"]))


async def read_body(headers: Headers, receive: Receive, max_bytes: int) -> bytes:
    """The body. Refused if it is encoded, and as soon as it is known to exceed `max_bytes`, announced or counted.

    Starlette has a limit too, but answers in plain text.
    """
    encoding = headers.get(b"content-encoding", b"")
    if encoding.lower() not in (b"", b"identity"):
        raise UnsupportedType(f"content encoding {_text(encoding)} is not supported: send the body without an encoding")
    rule = f"at most {max_bytes} are allowed"
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > max_bytes:
        raise TooLarge(f"the body has {_text(announced)} bytes: {rule}")
    body, more = await _next(receive)
    if more:
        pieces = bytearray(body)
        while more and len(pieces) <= max_bytes:
            piece, more = await _next(receive)
            pieces += piece
        body = bytes(pieces)
    if len(body) > max_bytes:
        raise TooLarge(f"the body has more than {max_bytes} bytes: {rule}")
    return body


async def _next(receive: Receive) -> tuple[bytes, bool]:
    """The next piece, and whether more follow."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


def media_type(headers: Headers) -> str:
    """The content type without parameters, except a form's boundary; empty if there is none.

    A type of JSON, such as `application/ld+json` (RFC 6839), is `application/json`.
    """
    return _media_type(headers.get(b"content-type", b"")[:LONGEST])


@lru_cache(maxsize=256)  # clients repeat their headers
def _media_type(content_type: bytes) -> str:
    text = content_type.decode("latin-1")
    plain = text.partition(";")[0].strip().lower()
    if plain == MULTIPART:
        return with_boundary(text)
    return JSON if plain.endswith("+json") else plain


@lru_cache(maxsize=256)  # clients repeat their options
def query_options(query_string: bytes) -> Options:
    """The options of a query string.

    Raises InvalidValue for a repeated option: if the last one won, a proxy that adds one could silently loosen a
    promise. Raises InvalidRequest for an unknown name or an invalid value.
    """
    return validated(QueryOptions, query_fields(query_string)).options() if query_string else NO_OPTIONS


def query_fields(query_string: bytes) -> dict[str, str]:
    """The fields of a query string by name. Raises InvalidValue for a repeated name."""
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InvalidValue(name[:80], " is given more than once in the query string")
    return dict(pairs)


def _text(value: bytes) -> str:
    return value[:80].decode("latin-1")
