"""A request that is there as a whole, read just as far as it takes to refuse it.

A parser costs as much as the rest of a refusal, and calls back for each header. Where more is refused than answered
that time is missing for the answers. So what is plain and whole is taken apart here, and all else is the parser's.
"""

from functools import lru_cache
from typing import NamedTuple

from service.http.request_body import Headers

# Whatever changes where a request ends, or what may follow it.
UNUSUAL = frozenset({b"transfer-encoding", b"content-encoding", b"expect", b"upgrade"})
_MOST_KEPT_BYTES = 2048  # of a head


def whole_post(data: bytes) -> tuple[bytes, Headers] | None:
    """The target and the headers of the one `POST` that `data` is; None where it is anything else, or may be.

    >>> whole_post(b"POST /predict HTTP/1.1" + bytes([13, 10]) + b"Content-Length: 1" + bytes([13, 10, 13, 10]) + b"a")
    (b'/predict', {b'content-length': b'1'})
    """
    end = data.find(b"\r\n\r\n")
    if not 0 < end <= _MOST_KEPT_BYTES:
        return None
    found = _plain_head(data[:end])
    if found is None or found.length != len(data) - end - 4:
        return None
    return found.target, found.headers


class _Head(NamedTuple):
    target: bytes
    headers: Headers
    length: int  # of the body


@lru_cache(maxsize=1024)  # a client's heads are mostly the same
def _plain_head(head: bytes) -> _Head | None:
    if not head.startswith(b"POST "):
        return None
    first, *lines = head.split(b"\r\n")
    target, _, version = first[5:].partition(b" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        if name != name.strip():  # a line that goes on from the one before, or a blank where no name has one
            return None
        headers[name.lower()] = value.strip()
    length = headers.get(b"content-length", b"")
    if version != b"HTTP/1.1" or not length.isdigit() or len(headers) != len(lines) or headers.keys() & UNUSUAL:
        return None
    return _Head(target, headers, int(length))
