"""Recognises a plain `POST` by its head, without the parser.

The parser calls back for each header, which takes longer than a refusal. A client mostly sends the same head, so that
the one before is remembered instead. Only what HTTP's grammar allows is recognised, and nothing that changes where a
request ends or what follows it; the rest is left to the parser. A test compares the two.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from service.http.request_body import Headers
from service.http.server.head_rules import is_host

# Headers that change where a request ends, or what may follow it.
UNUSUAL = frozenset(
    {b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"proxy-connection", b"trailer", b"te"}
)
_MAX_HEAD_BYTES = 2048
# RFC 9112, section 3, with a target that has no fragment; and RFC 9110, section 5.5: a header is a token, and what
# follows has no control characters but tabs.
_FIRST = re.compile(rb"POST (/[!\"$-~]*) HTTP/1\.1")
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)")
_LENGTH = re.compile(rb"[0-9]{1,9}")


class PlainPost(NamedTuple):
    """The head of a request."""

    path: bytes
    query: bytes
    headers: Headers
    head_bytes: int  # with the empty line
    body_bytes: int
    close: bool  # the client sends no more requests on the connection


def plain_post(data: bytes) -> PlainPost | None:
    """The head, if `data` is one plain `POST` or begins it, with its whole head; None if it is, or may be, other.

    >>> lines = [b"POST /predict?top_k=1 HTTP/1.1", b"Host: a", b"Content-Length: 1", b"", b"b"]
    >>> post = plain_post(bytes([13, 10]).join(lines))
    >>> post.path, post.query, post.headers, post.head_bytes, post.body_bytes
    (b'/predict', b'top_k=1', {b'host': b'a', b'content-length': b'1'}, 62, 1)
    """
    end = data.find(b"\r\n\r\n", 0, _MAX_HEAD_BYTES) + 4
    if end < 4:
        return None
    head = _plain_head(data[:end])
    return head if head is not None and len(data) <= end + head.body_bytes else None


@lru_cache(maxsize=1024)  # a client mostly sends the same head
def _plain_head(head: bytes) -> PlainPost | None:
    first_line, *lines = head[:-4].split(b"\r\n")
    first = _FIRST.fullmatch(first_line)
    if first is None:
        return None
    headers = {}
    for line in lines:
        header = _LINE.fullmatch(line)
        if header is None:
            return None
        headers[header[1].lower()] = header[2].rstrip(b" \t")
    length, connection = headers.get(b"content-length", b""), headers.get(b"connection", b"keep-alive").lower()
    if (
        len(headers) != len(lines)  # one is repeated
        or not is_host(headers.get(b"host", b"/"))
        or _LENGTH.fullmatch(length) is None
        or connection not in (b"keep-alive", b"close")
        or not UNUSUAL.isdisjoint(headers)
    ):
        return None
    path, _, query = first[1].partition(b"?")
    return PlainPost(path, query, headers, len(head), int(length), connection == b"close")
