"""Requests that servers and proxies read differently, each with the way the service must frame it.

Most carry a second request as their body. Where a server sees the end of the first too early, it answers that request
too, which a proxy before it did not see: request smuggling. `Framing` says what must come of each request followed by
`MARKER`.
"""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple


class Framing(Enum):
    """What is answered, by the ids of the requests; None is that of a head that was not read as far as its id."""

    WHOLE = ("outer", "marker")
    LAST = ("outer",)  # answered or refused, and the connection closed: what follows is not read
    UNREAD = (None,)  # the same, but the head was not read as far as its id
    SEPARATE = ("outer", "smuggled", "marker")  # without a length there is no body, so another request follows


class AmbiguousRequest(NamedTuple):
    """One of the requests. Its name is the line or part that makes it ambiguous."""

    name: str
    data: bytes
    framing: Framing


WHOLE, LAST, UNREAD, SEPARATE = Framing
INNER = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nX-Request-ID: smuggled\r\n\r\n"
assert len(INNER) == 65
MARKER = INNER.replace(b"smuggled", b"marker")
_JSON = b'{"inputs":[]}'
_LENGTH = b"Content-Length: %d" % len(INNER)
_CHUNKED = b"Transfer-Encoding: chunked"
_CHUNKS = b"d\r\n" + _JSON + b"\r\n0\r\n\r\n"
_POST = b"POST /predict HTTP/1.1"

# Beside a `Content-Length`: the body is an empty chunk, and then the second request.
_ENCODINGS = {
    _CHUNKED: LAST,
    b"Transfer-Encoding: Chunked": LAST,
    b"Transfer-Encoding: CHUNKED": LAST,
    b"Transfer-Encoding: xchunked": LAST,
    b"Transfer-Encoding: chunked, identity": LAST,
    b"Transfer-Encoding: identity, chunked": LAST,
    b"Transfer-Encoding: gzip, chunked": LAST,
    b"Transfer-Encoding: identity": LAST,
    b"Transfer-Encoding: cow": LAST,
    b"Transfer-Encoding: ": LAST,
    b"Transfer-Encoding:\tchunked": LAST,
    b"Transfer-Encoding : chunked": LAST,
    b"Transfer-Encoding\t: chunked": UNREAD,
    b"Transfer-Encoding: chunked ": LAST,
    b"Transfer-Encoding: chunked\t": LAST,
    b"Transfer-Encoding: \x0bchunked": LAST,
    b"Transfer-Encoding: chunked\x0b": LAST,
    b'Transfer-Encoding: "chunked"': LAST,
    b"Transfer-Encoding: chunked;x=1": LAST,
    b"Transfer-Encoding: chunked, chunked": LAST,
    b"Transfer-Encoding: , chunked": LAST,
    b"Transfer-Encoding: chunked,": LAST,
    b" Transfer-Encoding: chunked": UNREAD,
    b"Transfer-Encoding:\r\n chunked": LAST,
    b"X: a\r\n\tTransfer-Encoding: chunked": LAST,
    b"Transfer-Encoding: chunked\x00": LAST,
    b"Transfer-Encoding\x00: chunked": UNREAD,
    b"Transfer-Encoding: \xa0chunked": LAST,
    b"X: a\nTransfer-Encoding: chunked": LAST,
    b"X: a\rTransfer-Encoding: chunked": LAST,
    b"Transfer_Encoding: chunked": WHOLE,  # another header
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked": LAST,
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity": LAST,
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked": LAST,
    b"Transfer-Encoding:chunked": LAST,
    b"Transfer-Encoding: chunked\r": LAST,
    b"X: a\r\n\nTransfer-Encoding: chunked": LAST,
}
# For the length of a body that is the second request, which is 65.
_LENGTHS = {
    b"Content-Length: +65": LAST,
    b"Content-Length: -65": LAST,
    b"Content-Length: 0x41": LAST,
    b"Content-Length: 00065": WHOLE,
    b"Content-Length: 0000000000000000000000000000000065": WHOLE,
    b"Content-Length: 6 5": LAST,
    b"Content-Length: 65, 65": LAST,
    b"Content-Length: 0, 65": LAST,
    b"Content-Length: 65,": LAST,
    b"Content-Length: 65.0": LAST,
    b"Content-Length: 6e1": LAST,
    b"Content-Length: ": LAST,
    b"Content-Length: 99999999999999999999": LAST,
    b"Content-Length: %d" % (2**64 + 65): LAST,
    b"Content-Length: 65 ": WHOLE,
    b"Content-Length:\t65": WHOLE,
    b"Content-Length: \x0b65": LAST,
    b"Content-Length: 65\x0b": LAST,
    b"Content-Length: 65\x0c": LAST,
    b"Content-Length: 6_5": LAST,
    b'Content-Length: "65"': LAST,
    "Content-Length: \uff16\uff15".encode(): LAST,
    b"Content-Length: 65\x00": LAST,
    b"Content-Length: \r\n 65": LAST,
    b"Content-Length: 65\r\nContent-Length: 65": LAST,
    b"Content-Length: 0\r\nContent-Length: 65": LAST,
    b"Content-Length: 65\r\nContent-Length: 0": LAST,
    b"Content-Length : 65": LAST,
    b" Content-Length: 65": UNREAD,
    b"X: a\nContent-Length: 65": LAST,
    b"Content-Length: 0\nContent-Length: 65": LAST,
    b"X: 0\rContent-Length: 0\r\nContent-Length: 65": LAST,
    b"X: a": SEPARATE,
}
# Beside a sound `Content-Length`.
_LINES = {
    b"X: a\rb": LAST,
    b"X: a\x00b": LAST,
    b"X\x00: a": UNREAD,
    b"X Y: a": UNREAD,
    b"XY": UNREAD,
    b": a": UNREAD,
    b"X: a\r\n b": LAST,
    b"X: a\x01\x7fb": LAST,
    b"Connection: close": LAST,
    b"Connection: close, keep-alive": LAST,
    b"Connection: Content-Length": WHOLE,
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA": WHOLE,
    b"Connection: Upgrade\r\nUpgrade: foo": WHOLE,
    b"Connection: Upgrade\r\nUpgrade: websocket": WHOLE,
    b"Upgrade: h2c": WHOLE,
    b"Connection: Upgrade": WHOLE,
    b"Expect: 100-continue": WHOLE,
    b"Expect: 200-ok": WHOLE,
    b"Content-Encoding: gzip": WHOLE,
    b"TE: trailers\r\nConnection: TE": WHOLE,
    b"Keep-Alive: timeout=5, max=1": WHOLE,
    b"Host: y": LAST,  # the second
    b"Host: x": LAST,
}
_REQUEST_LINES = {
    b"GET /v2/health/live HTTP/1.1": WHOLE,
    b"DELETE /predict HTTP/1.1": WHOLE,
    b"HEAD / HTTP/1.1": WHOLE,
    b"TRACE / HTTP/1.1": WHOLE,
    b"CONNECT x:80 HTTP/1.1": LAST,
    b"OPTIONS * HTTP/1.1": WHOLE,
    b"POST /predict HTTP/1.0": LAST,
    b"POST /predict HTTP/1.0\r\nConnection: keep-alive": LAST,
    b"POST /predict HTTP/1.2": UNREAD,
    b"POST /predict HTTP/2.0": LAST,
    b"POST /predict http/1.1": UNREAD,
    b"POST /predict HTTP/01.1": UNREAD,
    b"POST  /predict  HTTP/1.1": WHOLE,
    b"POST\t/predict\tHTTP/1.1": UNREAD,
    b"POST /predict HTTP/1.1 ": UNREAD,
    b"POST /predict x HTTP/1.1": UNREAD,
    b"\r\n\r\nPOST /predict HTTP/1.1": WHOLE,
    b"\nPOST /predict HTTP/1.1": WHOLE,
    b"post /predict HTTP/1.1": UNREAD,
    b"FOO /predict HTTP/1.1": UNREAD,
    b"POST http://x/predict HTTP/1.1": WHOLE,
    b"POST http://y/predict HTTP/1.1": WHOLE,
    b"GET http://x HTTP/1.1": WHOLE,
    b"GET https://x/livez HTTP/1.1": WHOLE,
    b"GET ftp://x/livez HTTP/1.1": LAST,
    b"GET http://x@y/livez HTTP/1.1": LAST,
    b"POST /predict#x HTTP/1.1": WHOLE,
    b"POST /predict%00 HTTP/1.1": WHOLE,
    b"POST /predict\x00 HTTP/1.1": UNREAD,
    "POST /predict?x=ü HTTP/1.1".encode(): UNREAD,
}
_CHUNKED_BODIES = {
    _CHUNKS: WHOLE,
    b"41\r\n" + INNER + b"\r\n0\r\n\r\n": WHOLE,
    b"d;a=b\r\n" + _JSON + b"\r\n0;x\r\n\r\n": WHOLE,
    b"d;a\nb\r\n" + _JSON + b"\r\n0\r\n\r\n": LAST,
    b"d;a\rb\r\n" + _JSON + b"\r\n0\r\n\r\n": LAST,
    b'd;a="\r\n' + _JSON + b"\r\n0\r\n\r\n": LAST,
    _CHUNKS.replace(b"\r\n", b"\n"): LAST,
    b"0xd\r\n" + _JSON + b"\r\n0\r\n\r\n": LAST,
    b"+d\r\n" + _JSON + b"\r\n0\r\n\r\n": LAST,
    b" d\r\n" + _JSON + b"\r\n0\r\n\r\n": LAST,
    b"d \r\n" + _JSON + b"\r\n0\r\n\r\n": LAST,
    b"1000000000000000d\r\n" + _JSON + b"\r\n0\r\n\r\n": LAST,
    b"ffffffffffffffffff\r\n" + _JSON: LAST,
    b"-1\r\n" + _JSON + b"\r\n0\r\n\r\n": LAST,
    b"\r\n" + _JSON + b"\r\n0\r\n\r\n": LAST,
    b"3\r\nabcdef\r\n0\r\n\r\n": LAST,
    b"d\r\n" + _JSON + b"0\r\n\r\n": LAST,
    b"d\r\n" + _JSON + b"\r\n000\r\n\r\n": WHOLE,
    b"d\r\n" + _JSON + b"\r\n0\r\n" + INNER: LAST,
    b"d\r\n" + _JSON + b"\r\n0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n": LAST,
    b"d\r\n" + _JSON + b"\r\n0\r\nHost: y\r\n\r\n": WHOLE,
}
_CHUNKED_HEADS = {
    _CHUNKED + b"\r\nContent-Length: 4": LAST,
    _CHUNKED + b"\r\nTrailer: X": WHOLE,
    _CHUNKED + b"\r\nConnection: Transfer-Encoding": WHOLE,
    _CHUNKED + b"\r\nConnection: Upgrade\r\nUpgrade: foo": WHOLE,
}
_PLAIN = b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Request-ID: outer\r\n" + _LENGTH + b"\r\n\r\n"
_WHOLE_REQUESTS = {
    _PLAIN + INNER: WHOLE,
    _PLAIN.replace(b"\r\n", b"\n") + INNER: UNREAD,
    _PLAIN.replace(b"\r\n\r\n", b"\r\n\n") + INNER: LAST,
    _PLAIN.replace(b"\r\n\r\n", b"\n\r\n") + INNER: LAST,
    _PLAIN.replace(b"\r\n\r\n", b"\r\r") + INNER: LAST,
    _PLAIN.replace(b" HTTP/1.1\r\n", b" HTTP/1.1\r\n ") + INNER: UNREAD,
    _PLAIN.replace(b"Host: x\r\n", b"") + INNER: LAST,
    _PLAIN.replace(b"Host: x\r\n", b"Host: x/y\r\n") + INNER: LAST,
    _PLAIN.replace(b"1.1", b"1.0").replace(b"Host: x", _CHUNKED + b"\r\nConnection: keep-alive") + _CHUNKS: LAST,
    b"POST /predict HTTP/1.0\r\nX-Request-ID: outer\r\n" + _CHUNKED + b"\r\n\r\n" + _CHUNKS: LAST,
    b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\nX-Request-ID: outer\r\n\r\n" + INNER: LAST,
    b"GET /v2/health/live\r\n\r\n": UNREAD,  # HTTP/0.9
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0": UNREAD,  # the preface of HTTP/2
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03": UNREAD,  # TLS
}


def _request(first: bytes, line: bytes, body: bytes) -> bytes:
    lines = first, b"Host: x", b"Content-Type: application/json", b"X-Request-ID: outer", line
    return b"\r\n".join([*lines, b"", body])


def _all() -> Iterator[AmbiguousRequest]:
    smuggling = b"0\r\n\r\n" + INNER
    for line, framing in _ENCODINGS.items():
        headers = b"%b\r\nContent-Length: %d" % (line, len(smuggling))
        yield AmbiguousRequest(f"{line!r} and a length", _request(_POST, headers, smuggling), framing)
    for line, framing in _LENGTHS.items():
        yield AmbiguousRequest(repr(line), _request(_POST, line, INNER), framing)
    for line, framing in _LINES.items():
        yield AmbiguousRequest(repr(line), _request(_POST, line + b"\r\n" + _LENGTH, INNER), framing)
    for line, framing in _REQUEST_LINES.items():
        yield AmbiguousRequest(repr(line), _request(line, _LENGTH, INNER), framing)
    for body, framing in _CHUNKED_BODIES.items():
        yield AmbiguousRequest(f"chunks {body[:40]!r}", _request(_POST, _CHUNKED, body), framing)
    for lines, framing in _CHUNKED_HEADS.items():
        yield AmbiguousRequest(repr(lines), _request(_POST, lines, _CHUNKS), framing)
    for data, framing in _WHOLE_REQUESTS.items():
        yield AmbiguousRequest(repr(data[:60]), data, framing)


AMBIGUOUS_REQUESTS = list(_all())
