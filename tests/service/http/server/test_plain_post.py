"""A request refused without the parser is one that the parser reads as a single request, with the same headers."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.server.plain_post import plain_post
from tests.service.http.server.ambiguous_requests import AMBIGUOUS_REQUESTS

GOOD = b"POST /predict?top_k=1 HTTP/1.1\r\nHost: x\r\nX-Request-ID:  a b \r\nContent-Length: 3\r\n\r\nabc"


class Parsed:
    """The requests that httptools parses from some bytes."""

    def __init__(self, data: bytes) -> None:
        self.url, self.body, self.headers, self.complete = b"", b"", list[tuple[bytes, bytes]](), 0
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.keep_alive = self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


def test_plain_post_is_read() -> None:
    headers = {b"host": b"x", b"x-request-id": b"a b", b"content-length": b"3"}
    for arrived in (0, 2, 3):
        head = len(GOOD) - 3
        assert plain_post(GOOD[: head + arrived]) == (b"/predict", b"top_k=1", headers, head, 3, False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:-4],
        GOOD + b"d",
        GOOD + GOOD,
        GOOD[:40],
        b"\r\n" + GOOD,
        GOOD.replace(b"POST", b"GET"),
        GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
        GOOD.replace(b"Content-Length: 3", b"Content-Length: +3"),
        GOOD.replace(b"Content-Length", b"Content-Length "),
        GOOD.replace(b"Content-Length: 3", b"Content-Length: 3\r\nContent-Length: 3"),
        GOOD.replace(b"Content-Length: 3", b"Content-Length: 3\r\nTransfer-Encoding: chunked"),
        GOOD.replace(b"Content-Length: 3", b"Content-Length: 3\r\nExpect: 100-continue"),
        GOOD.replace(b"Content-Length: 3", b"Content-Length: 3\r\n folded: 1"),
        GOOD.replace(b"Content-Length: 3", b"Content-Length: 3\r\nUpgrade: websocket"),
        GOOD.replace(b"Host: x", b"Host: x/y"),
        GOOD.replace(b"Host: x\r\n", b""),
        GOOD.replace(b"Host: x", b"Host: x\r\nHost: x"),
        GOOD.replace(b"Host: x", b"Host: x\r\nConnection: close, upgrade"),
        *(GOOD.replace(b"X-Request-ID:", line + b":") for line in (b"", b"a b", b"a ", b"\xe4", b"a\x00")),
        *(GOOD.replace(b"a b", value) for value in (b"a\rb", b"a\nb", b"a\x00b", b"\x0ba", b"\x7f")),
        *(GOOD.replace(b": 3", value) for value in (b":\x0b3", b": 3\x0c", b": 0x3", b": 3, 3")),
        *(GOOD.replace(b"?top_k=1", rest) for rest in (b"?\xe4", b"#a", b"?a\x00", b" x", b" ")),
        GOOD.replace(b"\r\nX-Request-ID", b"\nX-Request-ID"),
        GOOD.replace(b"X-Request-ID:", b"X-Request-ID"),
    ],
)
def test_other_requests_are_left_to_the_parser(data: bytes) -> None:
    assert plain_post(data) is None


_START = [
    b"POST ",
    b"GET ",
    b"/predict",
    b" HTTP/1.1",
    b"\r\n",
    b"\r\n\r\n",
    b"Host: x",
    b"Content-Length: ",
    b"3",
    b"0",
]
_MORE = [b"abc", b":", b" ", b"\t", b"\n", b"Transfer-Encoding: chunked", b"Connection: close", b"X: y", b"\x00"]


@given(st.lists(st.sampled_from(_START + _MORE), max_size=12))
def test_plain_post_ends_where_the_parser_ends_it(pieces: list[bytes]) -> None:
    for data in (b"".join(pieces), GOOD.replace(b"X-Request-ID:  a b ", b"".join(pieces))):
        _assert_parser_agrees(data)


def test_ambiguous_requests_end_where_the_parser_ends_them() -> None:
    assert sum(_assert_parser_agrees(request.data) for request in AMBIGUOUS_REQUESTS) >= 5


def _assert_parser_agrees(data: bytes) -> bool:
    """Whether the request is read as a plain one. If so, the parser must read the same."""
    result = plain_post(data)
    if result is None or len(data) < result.head_bytes + result.body_bytes:
        return False
    parsed = Parsed(data)
    assert parsed.complete == 1
    assert parsed.url.partition(b"?") == (result.path, b"?" if b"?" in parsed.url else b"", result.query)
    assert {name: value.rstrip() for name, value in parsed.headers} == result.headers
    assert parsed.body == data[result.head_bytes :]
    assert parsed.keep_alive is not result.close
    return True
