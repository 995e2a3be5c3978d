"""Each request ends where HTTP/1.1 says, and gets one answer, whatever else it offers, omits or breaks."""

import json
import re
import select
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from service.app import create_app
from service.settings import Settings
from tests.service.http.server.ambiguous_requests import AMBIGUOUS_REQUESTS, MARKER, Framing
from tests.service.http.server.test_fast_lane import running
from tests.service.monitoring.metrics.scraped import read

IMAGE = b'{"inputs": [[255, 0]]}'
ANSWER = re.compile(rb"HTTP/1\.1 ([2-5]\d\d) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")


@pytest.fixture(scope="module")
def app(tiny_model: Path) -> FastAPI:
    return create_app(Settings(model_path=tiny_model, max_concurrent_requests=1))


@pytest.fixture(scope="module")
def port(app: FastAPI) -> Iterator[int]:
    with running(app) as number:
        yield number


@contextmanager
def busy(app: FastAPI) -> Iterator[None]:
    """Keep the service as busy as it may be."""
    app.state.connections.admission.requests += 1
    yield
    app.state.connections.admission.requests -= 1


def exchange(port: int, *pieces: bytes) -> bytes:
    """All that is answered to the pieces, each of which the service has read before the next is sent."""
    answered = b""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        closing(HTTPConnection("127.0.0.1", port, timeout=10)) as other,
        suppress(ConnectionError),  # a piece was sent while the service closed the connection
    ):
        connection.sendall(pieces[0])
        for piece in pieces[1:]:
            other.request("GET", "/livez")  # the service looks at all of its connections before it answers
            other.getresponse().read()
            while select.select([connection], [], [], 0)[0]:
                if not (data := connection.recv(1 << 16)):
                    return answered
                answered += data
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(1 << 16):
            answered += data
    return answered


def statuses(answered: bytes) -> list[int]:
    return [int(status) for status, _ in ANSWER.findall(answered)]


def ids(answered: bytes) -> tuple[str | None, ...]:
    """The ids of the answers; None for those that the service gave."""
    found = [re.findall(rb"x-request-id: (\S+)\r\n", head)[0].decode() for _, head in ANSWER.findall(answered)]
    return tuple(None if len(one) == 32 else one for one in found)


def post(*lines: str, body: bytes = IMAGE, path: str = "/predict") -> bytes:
    head = [f"POST {path} HTTP/1.1", "Content-Type: application/json", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


@pytest.mark.parametrize("request_", AMBIGUOUS_REQUESTS, ids=[request.name for request in AMBIGUOUS_REQUESTS])
def test_ambiguous_request_is_framed(app: FastAPI, port: int, request_: tuple[str, bytes, Framing]) -> None:
    _, data, framing = request_
    end = data.find(b"\r\n\r\n", 4) + 4  # of the head
    found = [exchange(port, data + MARKER), exchange(port, data[:end], data[end:], MARKER)]
    with busy(app):
        found += [exchange(port, data, MARKER), exchange(port, data + MARKER)]
    for answered in found:
        assert ids(answered) == framing.value
        if framing in (Framing.LAST, Framing.UNREAD):
            assert b"connection: close\r\n" in answered


def _body(framing: str) -> tuple[str, bytes]:
    if framing == "chunked":
        return "Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(IMAGE), IMAGE)
    return f"Content-Length: {len(IMAGE)}", IMAGE


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "foo/1, bar"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("path", ["/predict", "/explain"])
def test_offer_of_another_protocol_is_ignored(port: int, protocol: str, framing: str, path: str) -> None:
    line, body = _body(framing)
    head = post("Host: x", "Connection: Upgrade", f"Upgrade: {protocol}", line, body=b"", path=path)
    plain = post("Host: x", line, body=body, path=path)
    get = head.replace(b"POST", b"GET").replace(path.encode(), b"/livez")
    expected = statuses(exchange(port, plain))[0]
    assert expected in (200, 409)
    assert statuses(exchange(port, head + body + get + body + head + body)) == [expected, 200, expected]
    assert statuses(exchange(port, head, body, head, body + get, body + plain)) == [expected, expected, 200, expected]
    if protocol == "h2c":
        data = head + body + plain
        assert statuses(exchange(port, *(data[i : i + 1] for i in range(len(data))))) == [expected] * 2


def test_curl_that_offers_http2_is_answered(port: int) -> None:
    assert shutil.which("curl")
    command = ["curl", "-sS", "--http2", "-H", "Content-Type: application/json", "-w", "%{http_code} %{num_connects}\n"]
    address = f"http://127.0.0.1:{port}/predict"
    result = subprocess.run(
        [*command, "-o", "/dev/null", "-o", "/dev/null", "-d", IMAGE, address, address],
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout.splitlines() == ["200 1", "200 0"]


BROKEN = {
    "a size that is no number": (b"2\r\n{}\r\n", b"zz\r\n"),
    "a chunk that is longer than its size": (b"2\r\n{}", b"}\r\n0\r\n\r\n"),
    "a trailer without a colon": (b"2\r\n{}\r\n0\r\n", b"X\r\n\r\n"),
}


@pytest.mark.parametrize("path", ["/predict", "/explain", "/v2/models/tiny/infer"])
@pytest.mark.parametrize("chunks", BROKEN.values(), ids=BROKEN)
def test_broken_chunk_is_refused_at_once(port: int, chunks: tuple[bytes, bytes], path: str) -> None:
    head = post("Host: x", "Transfer-Encoding: chunked", "X-Request-ID: mine", path=path, body=b"")
    good = post("Host: x", f"Content-Length: {len(IMAGE)}")
    for pieces in (
        [head, *chunks],  # while the application reads
        [head + b"".join(chunks) + MARKER],
        [good + good + head + b"".join(chunks) + MARKER],  # while it answers the requests before
    ):
        answered = exchange(port, *pieces)
        assert statuses(answered) == [*[200] * pieces[0].count(good), 400]
        _assert_refused(answered, path, "the request is not valid HTTP/1.1: ", "mine")


def _assert_refused(answered: bytes, path: str, detail: str, request_id: str | None) -> None:
    """Assert that the last answer is a refusal in our form, after which the connection is closed."""
    head, _, body = answered.rpartition(b"HTTP/1.1 400 ")[2].partition(b"\r\n\r\n")
    assert b"connection: close\r\n" in head + b"\r\n"
    content = json.loads(body)
    if path.startswith("/v2"):
        assert b"content-type: application/json\r\n" in head + b"\r\n"
        assert content.keys() == {"error"}
        assert content["error"].startswith(detail)
    else:
        assert b"content-type: application/problem+json\r\n" in head + b"\r\n"
        assert content["detail"].startswith(detail)
        assert f"x-request-id: {content['request_id']}".encode() in head
        assert request_id is None or content["request_id"] == request_id


HEADS = {
    "TLS": (b"\x16\x03\x01\x02\x00\x01", "", "the request is not valid HTTP/1.1: Invalid method", None),
    "a header without a colon": (
        b"GET /v2 HTTP/1.1\r\nHost: x\r\nX\r\n\r\n",
        "/v2",
        "the request is not valid HTTP/1.1: Invalid header token",
        None,
    ),
    "no host": (
        post("X-Request-ID: a", "Content-Length: 0", body=b""),
        "/predict",
        "the request has no Host headers",
        "a",
    ),
    "two hosts": (post("Host: x", "Host: x", "Content-Length: 0", body=b""), "/predict", "the request has 2 ", None),
    "two hosts in 1.0": (
        b"GET /v2 HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n",
        "/v2",
        "the request has 2 Host headers",
        None,
    ),
    "no name": (post("Host: x/y", "Content-Length: 0", body=b""), "/predict", "Host: 'x/y' is no host: ", None),
    "HTTP/2.0": (
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        "/",
        "HTTP/2.0 is not supported: send the request by HTTP/1.1",
        None,
    ),
    "CONNECT": (
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        "x:80",
        "CONNECT is not supported: this is no proxy",
        None,
    ),
    "another scheme": (b"GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", "/", "the target 'ftp://x/' is neither", None),
}


@pytest.mark.parametrize(("data", "path", "detail", "request_id"), HEADS.values(), ids=HEADS)
def test_invalid_head_is_refused_in_our_form_and_counted(
    port: int, data: bytes, path: str, detail: str, request_id: str | None
) -> None:
    def counted() -> float:
        scraped = read(httpx2.get(f"http://127.0.0.1:{port}/metrics").text)
        return scraped.total("demur_requests_total", route="unmatched", status="400")

    before = counted()
    answered = exchange(port, data + MARKER)
    assert statuses(answered) == [400]
    _assert_refused(answered, path, detail, request_id)
    after_good = exchange(port, post("Host: x", f"Content-Length: {len(IMAGE)}") + MARKER + data + MARKER)
    assert statuses(after_good) == [200, 200, 400]
    _assert_refused(after_good, path, detail, request_id)
    assert counted() - before == 2


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET HTTP://x?a=b HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (post("Host: x", f"Content-Length: {len(IMAGE)}", path="http://x:1/predict?"), 200),
        (post("Host:", f"Content-Length: {len(IMAGE)}"), 200),
        (post("Host: [::1]:8000", f"Content-Length: {len(IMAGE)}"), 200),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET //x/y HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /livez HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_targets_and_hosts_in_other_forms(port: int, data: bytes, status: int) -> None:
    assert statuses(exchange(port, data)) == [status]


def test_host_of_an_absolute_target_counts(tiny_model: Path) -> None:
    with running(create_app(Settings(model_path=tiny_model, trusted_hosts="good"))) as port:
        for named, other, status in (("good", "evil", 200), ("evil", "good", 421)):
            data = f"GET http://{named}/model HTTP/1.1\r\nHost: {other}\r\n\r\n"
            assert statuses(exchange(port, data.encode())) == [status]


@pytest.mark.parametrize("path", ["/predict", "/explain"])
def test_client_that_sends_no_more_is_answered(app: FastAPI, port: int, path: str) -> None:
    good, probe = post("Host: x", f"Content-Length: {len(IMAGE)}", path=path), b"GET /livez HTTP/1.0\r\n\r\n"
    expected = statuses(exchange(port, good))
    assert expected in ([200], [409])
    assert statuses(exchange(port, good * 3 + MARKER)) == [*expected * 3, 200]
    for incomplete in (b"P", good[:50], good[:-1], post("Host: x", "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n")):
        assert statuses(exchange(port, incomplete)) == []
        assert statuses(exchange(port, good, incomplete)) == expected
        assert statuses(exchange(port, good * 2 + incomplete)) == expected * 2
    assert statuses(exchange(port, probe)) == [200]
    assert httpx2.get(f"http://127.0.0.1:{port}/livez").status_code == 200
    assert len(app.state.connections._open) <= 1


def test_handshakes_of_websocket_hold_no_connection(tiny_model: Path) -> None:
    handshake = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    handshake += b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    with running(create_app(Settings(model_path=tiny_model, max_connections=4))) as port:
        assert [statuses(exchange(port, handshake)) for _ in range(8)] == [[404]] * 8
        assert httpx2.get(f"http://127.0.0.1:{port}/livez").status_code == 200
