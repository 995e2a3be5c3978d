"""Hundreds of clients that send or read slowly, or not at all: others are answered, and no resources are leaked."""

import os
import re
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from service.http.server.framed_connection import MAX_PIPELINED
from service.http.server.guarded_connection import MAX_HEADER_BYTES, MAX_HEADERS
from tests.server import Server, serving
from tests.service.monitoring.metrics.scraped import read

EACH = 60  # clients of one kind
SECONDS = 1  # limit of a request; connections are checked once a second
PATIENCE_SECONDS = 20
RAW = "Content-Type: application/octet-stream"


def _request(path: str, *headers: str, body: bytes = b"", method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


SLOW: dict[str, tuple[bytes, bytes]] = {  # sent at once, and byte by byte
    "nothing": (b"", b""),
    "an empty line": (b"\r\n", b""),
    "a head": (b"P", _request("/predict", RAW, "X-A: " + "a" * 10000)[1:]),
    "a head for a standard protocol": (b"GET /v2/health/live HTTP/1.1\r\n", b"X-A: " + b"a" * 10000),
    "a body by the lane": (_request("/predict", RAW, body=bytes(10000))[:-10000], bytes(10000)),
    "a body": (_request("/explain", RAW, body=bytes(10000))[:-10000], bytes(10000)),
    "a body of a standard protocol": (_request("/v2/models/tiny/infer", RAW, body=bytes(10000))[:-10000], bytes(10000)),
    "a body that nobody waits for": (_request("/nowhere", RAW, body=bytes(10000))[:-10000], bytes(10000)),
    "chunks": (b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n0\r\n" * 2000),
}
# 1.7 MB: the kernel buffers one or two such answers for a client that does not read.
NOT_READ = _request("/docs/swagger-ui-bundle.js", method="GET") * 5


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[Server]:
    settings = {"DEMUR_REQUEST_SECONDS": str(SECONDS), "DEMUR_KEEP_ALIVE_SECONDS": "1"}
    with serving(tiny_model, **settings, DEMUR_AUDIT_SHARE="0") as running:  # audits start a thread
        yield running
        assert running.stop(signal.SIGTERM) == 0
        assert not [line for line in running.log() if "Traceback" in line]


def _connected(server: Server, stack: ExitStack, receive_bytes: int | None = None) -> socket.socket:
    connection = stack.enter_context(socket.socket())
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(PATIENCE_SECONDS)
    connection.connect(("127.0.0.1", server.port))
    return connection


def _held(server: Server) -> tuple[int, int, float, float]:
    """Open files, threads, requests in the application except the scrape, and requests rejected for their time."""
    scraped = read(httpx2.get(f"{server.address}/metrics").text)
    late = scraped.value("demur_rejected_total", reason="request_seconds")
    in_flight = int(scraped.value("demur_requests_in_flight"))
    files, threads = (len(os.listdir(f"/proc/{server.process.pid}/{kind}")) for kind in ("fd", "task"))
    return files, threads, in_flight - 1, late


def _until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < deadline
        select.select([], [], [], 0.05)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as closed_afterwards:
        yield closed_afterwards


def test_hundreds_of_slow_clients_hold_nothing(server: Server, stack: ExitStack) -> None:
    files, threads, _, late = _held(server)
    slow: dict[socket.socket, str] = {}
    rest: dict[socket.socket, Iterator[int]] = {}
    for name, (at_once, afterwards) in SLOW.items():
        for _ in range(EACH):
            connection = _connected(server, stack)
            connection.sendall(at_once)  # now: before the last of them has connected, the first could be closed as idle
            slow[connection], rest[connection] = name, iter(afterwards)
    for _ in range(EACH):
        connection = _connected(server, stack, receive_bytes=4096)
        connection.setblocking(False)
        connection.send(NOT_READ)
    answers: dict[str, set[bytes]] = {name: set() for name in SLOW}
    deadline = time.monotonic() + PATIENCE_SECONDS
    with httpx2.Client(base_url=server.address, timeout=5) as good:
        while rest:
            assert time.monotonic() < deadline, {slow[connection] for connection in rest}
            answer = good.post("/predict", content=bytes(2), headers={"content-type": "application/octet-stream"})
            assert answer.status_code == 200
            ended, _, _ = select.select(rest, [], [], 0)
            for connection in ended:
                try:
                    answers[slow[connection]].add(connection.recv(4096))
                except ConnectionResetError:
                    answers[slow[connection]].add(b"")
                del rest[connection]
            for connection, by_byte in rest.items():
                for byte in by_byte:
                    connection.send(bytes([byte]))
                    break
    for connection in slow:
        connection.close()
    # Connections that read nothing are closed too, although their clients are still open.
    _until(lambda: _held(server)[0] <= files + 1)
    assert _held(server)[1:] == (threads, 0, late + EACH * 8)
    statuses = {name: {answer[:12] for answer in texts} for name, texts in answers.items()}
    late_by_name = {name: {b"HTTP/1.1 408"} for name in SLOW}
    assert statuses == {
        **late_by_name,
        "nothing": {b""},
        "an empty line": {b""},
        "a body that nobody waits for": {b"HTTP/1.1 404"},
    }
    for name, texts in answers.items():
        protocol = "protocol" in name
        for text in texts - {b""}:
            head, _, body = text.partition(b"\r\n\r\n")
            form = b"application/json" if protocol else b"application/problem+json"
            assert b"content-type: " + form in head.lower()
            assert int(re.findall(rb"(?i)content-length: (\d+)", head)[0]) == len(body)
            if b" 408 " in head:
                assert b"connection: close" in head.lower()
                assert b"the request was not sent completely within 1 s" in body


def _all(connection: socket.socket) -> bytes:
    """All data until the connection ends."""
    data = b""
    try:
        while piece := connection.recv(1 << 16):
            data += piece
    except ConnectionResetError:  # the server closed before it had read everything
        pass
    return data


def test_requests_that_wait_on_a_connection_are_bounded(server: Server, stack: ExitStack) -> None:
    connection = _connected(server, stack)
    connection.sendall(_request("/v2", method="GET") * 300)
    data = _all(connection)
    assert MAX_PIPELINED <= data.count(b"HTTP/1.1 200 OK") <= MAX_PIPELINED + 2
    assert data.lower().count(b"connection: close") == 1
    assert b"connection: close" in data.lower().rpartition(b"http/1.1 200 ok")[2]


@pytest.mark.parametrize(
    "piece", [b"X-A: " + b"a" * 1000 + b"\r\n", b"X-A: 1\r\n" * (MAX_HEADERS // 4)], ids=["long", "many"]
)
@pytest.mark.parametrize("path", ["/predict", "/v2"])
def test_head_is_bounded(server: Server, stack: ExitStack, piece: bytes, path: str) -> None:
    connection = _connected(server, stack)
    connection.sendall(f"POST {path} HTTP/1.1\r\n".encode())
    sent = 0
    while not select.select([connection], [], [], 0.001)[0]:
        connection.sendall(piece)
        sent += len(piece)
        assert sent < 4 * MAX_HEADER_BYTES
    data = _all(connection)
    assert data.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert (b'"error"' if path == "/v2" else b'"status":431') in data


def test_connections_are_bounded(tiny_model: Path, stack: ExitStack) -> None:
    limit = 5
    server = stack.enter_context(serving(tiny_model, DEMUR_MAX_CONNECTIONS=str(limit), DEMUR_KEEP_ALIVE_SECONDS="60"))
    probe = _request("/livez", method="GET")

    def ask(connection: socket.socket) -> bytes:
        connection.sendall(probe)
        return connection.recv(4096)

    kept = [_connected(server, stack) for _ in range(limit)]
    assert all(ask(connection).startswith(b"HTTP/1.1 200 ") for connection in kept)
    for path in ("/predict", "/v2/models/tiny/infer"):
        surplus = _connected(server, stack)
        surplus.sendall(_request(path))
        head, _, body = _all(surplus).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert {b"retry-after: 1", b"connection: close"} <= set(head.split(b"\r\n"))
        assert (b'"error"' if path.startswith("/v2") else b'"status":503') in body
    for path in ("/livez", "/readyz", "/metrics?a=b", "/models/tiny/readyz", "/v2/health/live"):
        surplus = _connected(server, stack)
        offer = ("Connection: upgrade", "Upgrade: h2c") if path == "/readyz" else ()
        surplus.sendall(_request(path, *offer, method="GET") + _request("/predict", body=b"[]"))
        answer = _all(surplus).lower()  # and none to what follows
        assert (answer.count(b"http/1.1 "), answer.count(b"http/1.1 200 ")) == (1, 1)
        assert answer.count(b"\r\nconnection: close\r\n") == 1
    slow = [_connected(server, stack) for _ in range(2 * limit)]  # the first of them are dropped for the others
    for connection in slow:
        connection.sendall(probe[:-1])
    assert {_all(connection) for connection in slow} == {b""}
    silent = [_connected(server, stack) for _ in range(limit)]
    assert ask(_connected(server, stack)).startswith(b"HTTP/1.1 200 ")
    assert {_all(connection) for connection in silent} == {b""}
    kept[0].sendall(_request("/metrics", method="GET"))
    text = b""
    while b'demur_rejected_total{reason="max_connections"}' not in text:
        text += kept[0].recv(1 << 16)
    assert b'demur_rejected_total{reason="max_connections"} 17.0' in text
    kept.pop().close()
    _until(lambda: ask(_connected(server, stack)).startswith(b"HTTP/1.1 200 "))
    assert server.stop(signal.SIGTERM) == 0
    assert [line for line in server.log() if "connection limit of" in line]
