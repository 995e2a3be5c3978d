"""The id of a request, which its answer repeats: the client's `X-Request-ID`, its trace's id, or a new one."""

import random
import re

from service.http.request_body import Headers

HEADER = "X-Request-ID"
_KEY = HEADER.lower().encode()
# Safe in a header and in a log line.
_SAFE = re.compile(r"[A-Za-z0-9._-]{1,128}")
# W3C Trace Context, section 3.2: version, trace-id, parent-id and flags; neither id is all zeros.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.{0,200})?")


def request_id_of(headers: Headers) -> str:
    """The request's own id if it is valid, else its trace's, else a new one.

    >>> request_id_of({b"x-request-id": b"order-7"})
    'order-7'
    >>> request_id_of({b"traceparent": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    '4bf92f3577b34da6a3ce929d0e0e4736'
    """
    given = headers.get(_KEY)
    if given is not None and _SAFE.fullmatch(text := given.decode("latin-1")):
        return text
    if (parent := traceparent_of(headers)) is not None:
        return parent[3:35]
    return f"{random.getrandbits(128):032x}"  # unique, but not secret


def traceparent_of(headers: Headers) -> str | None:
    """The request's `traceparent` header; None if it is missing or invalid."""
    given = headers.get(b"traceparent")
    if given is None or not _TRACEPARENT.fullmatch(text := given.decode("latin-1")):
        return None
    return text
