"""Every answer reaches the client in one TCP segment: head and body are one write."""

import http.client
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.server import Server, serving

TIMES = 50
_DATA_SEGMENTS_IN = 152  # offset of tcpi_data_segs_in in Linux' struct tcp_info


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[Server]:
    with serving(tiny_model, DEMUR_LOG_LEVEL="error") as running:
        yield running


def _segments(connection: socket.socket) -> int:
    """The number of segments with data that this connection has received."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
    (count,) = struct.unpack_from("I", info, _DATA_SEGMENTS_IN)
    return int(count)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/predict", {"inputs": [[0, 255]]}, 200),
        ("POST", "/predict", {"inputs": [[0, 256]]}, 422),
        ("POST", "/predict", b"\x00", 415),
        ("GET", "/livez", None, 200),
        ("GET", "/v2", None, 200),
        ("GET", "/v2/models/nobody", None, 404),
        ("GET", "/nowhere", None, 404),
        ("HEAD", "/livez", None, 200),
        ("HEAD", "/predict", None, 405),
    ],
)
def test_head_and_body_are_one_write(
    server: Server, method: str, path: str, body: dict[str, object] | bytes | None, status: int
) -> None:
    sent = json.dumps(body).encode() if isinstance(body, dict) else body
    headers = {"content-type": "application/json"} if isinstance(body, dict) else {}
    statuses = []
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        for _ in range(TIMES):
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        segments = _segments(connection.sock)
    assert statuses == [status] * TIMES
    assert segments == TIMES


def test_100_continue_does_not_wait_for_the_answer(server: Server) -> None:
    body = b'{"inputs": [[0, 255]]}'
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"Connection: close\r\nContent-Type: application/json\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        answer = b"".join(iter(lambda: connection.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"predictions":' in answer


def test_large_answer_in_pieces_is_complete(server: Server) -> None:
    with httpx2.Client(base_url=server.address) as client:
        answer = client.get("/docs/swagger-ui-bundle.js")
    assert len(answer.content) == int(answer.headers["content-length"]) > 1_000_000
