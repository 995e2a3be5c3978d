"""Every request has an id, which its response repeats: the client's `X-Request-ID` or its trace's, or a new one."""

import random
import re

from service.http.request_body import Headers

HEADER = "X-Request-ID"
_KEY = HEADER.lower().encode()
# What may go into a header and a log line as it is.
_SOUND = re.compile(r"[A-Za-z0-9._-]{1,128}")
# W3C Trace Context, section 3.2: version, trace-id, parent-id and flags; neither id is all zeros.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.{0,200})?")


def request_id_of(headers: Headers) -> str:
    """The id that the request brings, if it is sound: its own or else its trace's. Otherwise a new one.

    >>> request_id_of({b"x-request-id": b"order-7"})
    'order-7'
    >>> request_id_of({b"traceparent": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    '4bf92f3577b34da6a3ce929d0e0e4736'
    """
    given = headers.get(_KEY)
    if given is not None and _SOUND.fullmatch(text := given.decode("latin-1")):
        return text
    if (parent := traceparent_of(headers)) is not None:
        return parent[3:35]
    return f"{random.getrandbits(128):032x}"  # to tell requests apart, and no secret


def traceparent_of(headers: Headers) -> str | None:
    """Which trace the request belongs to, as it says itself; None where it says nothing sound."""
    given = headers.get(b"traceparent")
    if given is None or not _TRACEPARENT.fullmatch(text := given.decode("latin-1")):
        return None
    return text
