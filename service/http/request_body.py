"""What is needed of a request before anything is done with it: its body, counted, the form that it has, its options.

These work on ASGI's own scope and messages, which is what both ways to `/predict` have.
"""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from service.contract.errors import InvalidValue, TooLarge, UnsupportedType
from service.contract.validation import validated
from service.http.schemas.predict import QueryOptions
from service.inference.options import NO_OPTIONS, Options
from service.inference.readers.multipart import MULTIPART, with_boundary

Headers = Mapping[bytes, bytes]  # names in lower case; of equal names the first


def headers_of(scope: Scope) -> Headers:
    """The headers of a request."""
    return dict(reversed(scope["headers"]))


async def read_body(headers: Headers, receive: Receive, max_bytes: int) -> bytes:
    """The body, refused where it is encoded, or as soon as it is known to be larger than `max_bytes`.

    Announced or counted: Starlette's own limit answers in plain text, so the counting is done here.
    """
    encoding = headers.get(b"content-encoding", b"identity")
    if encoding.lower() != b"identity":
        raise UnsupportedType(f"content encoding {_text(encoding)} is not taken: send the body as it is")
    rule = f"at most {max_bytes} are taken"
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > max_bytes:
        raise TooLarge(f"the body has {_text(announced)} bytes: {rule}")
    whole, more = await _next(receive)
    if more:
        body = bytearray(whole)
        while more and len(body) <= max_bytes:
            chunk, more = await _next(receive)
            body += chunk
        whole = bytes(body)
    if len(whole) > max_bytes:
        raise TooLarge(f"the body has more than {max_bytes} bytes: {rule}")
    return whole


async def _next(receive: Receive) -> tuple[bytes, bool]:
    """The next piece, and whether more follow."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


def media_type(headers: Headers) -> str:
    """The content type, without its parameters but a form's boundary; empty where there is none."""
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    plain = content_type.partition(";")[0].strip().lower()
    return with_boundary(content_type) if plain == MULTIPART else plain


@lru_cache(maxsize=256)  # clients ask for the same again and again
def query_options(query_string: bytes) -> Options:
    """The options of a query string.

    Raises InvalidValue for one that stands there twice: the last of two would win, and a proxy that adds one would
    loosen a promise without a word. Raises InvalidRequest for a name or a value that is none.
    """
    return validated(QueryOptions, query_fields(query_string)).options() if query_string else NO_OPTIONS


def query_fields(query_string: bytes) -> dict[str, str]:
    """What stands in a query string, by name. Raises InvalidValue for a name that stands there twice."""
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InvalidValue(name[:80], " is given more than once in the query string")
    return dict(pairs)


def _text(value: bytes) -> str:
    return value[:80].decode("latin-1")
