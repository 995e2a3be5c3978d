"""An answer goes to the socket in one write, whoever gives it."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.server import Server, serving

TIMES = 50


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[Server]:
    # A line of the log is a write too, and so is what a thread that registers audited answers tells the event loop.
    with serving(tiny_model, DEMUR_LOG_LEVEL="error", DEMUR_AUDIT_SHARE="0") as running:
        yield running


def _writes(server: Server) -> int:
    """How many the service has made since it was started: calls of write and writev."""
    (count,) = re.findall(r"syscw: (\d+)", Path(f"/proc/{server.process.pid}/io").read_text())
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
        ("HEAD", "/livez", None, 405),
    ],
)
def test_head_and_body_are_one_write(server: Server, method: str, path: str, body: object, status: int) -> None:
    with httpx2.Client(base_url=server.address) as client:
        asked = {"json": body} if isinstance(body, dict) else {"content": body}
        client.request(method, path, **asked)  # what is loaded with the first of a kind may write
        before = _writes(server)
        answers = [client.request(method, path, **asked) for _ in range(TIMES)]
        assert _writes(server) - before == TIMES
    assert {answer.status_code for answer in answers} == {status}
    assert len({len(answer.content) for answer in answers}) == 1


def test_leave_to_go_on_does_not_wait_for_the_answer(server: Server) -> None:
    body = b'{"inputs": [[0, 255]]}'
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"Connection: close\r\nContent-Type: application/json\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        said = b"".join(iter(lambda: connection.recv(1000), b""))
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"predictions":' in said


def test_large_answer_in_pieces_comes_whole(server: Server) -> None:
    with httpx2.Client(base_url=server.address) as client:
        answer = client.get("/docs/swagger-ui-bundle.js")
    assert len(answer.content) == int(answer.headers["content-length"]) > 1_000_000
