"""Recognises a plain `POST` that arrived in one piece, with as little work as it takes to refuse it.

A parser costs as much as the rest of a refusal, and calls back for each header. When more requests are refused than
answered, that time is missing for the answers. Anything out of the ordinary is left to the parser.
"""

from functools import lru_cache
from typing import NamedTuple

from service.http.request_body import Headers

# Headers that change where a request ends, or what may follow it.
UNUSUAL = frozenset({b"transfer-encoding", b"content-encoding", b"expect", b"upgrade"})
_MAX_HEAD_BYTES = 2048


def plain_post(data: bytes) -> tuple[bytes, Headers] | None:
    """The target and the headers, if `data` is exactly one plain `POST`; None if it is, or may be, anything else.

    >>> plain_post(b"POST /predict HTTP/1.1" + bytes([13, 10]) + b"Content-Length: 1" + bytes([13, 10, 13, 10]) + b"a")
    (b'/predict', {b'content-length': b'1'})
    """
    end = data.find(b"\r\n\r\n")
    if not 0 < end <= _MAX_HEAD_BYTES:
        return None
    head = _plain_head(data[:end])
    if head is None or head.length != len(data) - end - 4:
        return None
    return head.target, head.headers


class _Head(NamedTuple):
    target: bytes
    headers: Headers
    length: int  # of the body


@lru_cache(maxsize=1024)  # a client mostly sends the same head
def _plain_head(head: bytes) -> _Head | None:
    if not head.startswith(b"POST "):
        return None
    first, *lines = head.split(b"\r\n")
    target, _, version = first[5:].partition(b" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        if name != name.strip():  # a folded line, or a name with a space, which is invalid
            return None
        headers[name.lower()] = value.strip()
    length = headers.get(b"content-length", b"")
    if version != b"HTTP/1.1" or not length.isdigit() or len(headers) != len(lines) or headers.keys() & UNUSUAL:
        return None
    return _Head(target, headers, int(length))
