"""The security headers of every answer, from the lane and the application; no banner, no CORS, only loopback."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server import Server, serving

IMAGE = {"inputs": [[255, 0]]}
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
ANSWERS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "the lane's": ("POST", "/predict", {"json": IMAGE}, 200),
    "the application's": ("POST", "/predict", {"json": IMAGE, "headers": {"connection": "close"}}, 200),
    "numbers": ("POST", "/predict", {"json": IMAGE, "headers": {"accept": "application/x-npy"}}, 200),
    "infer": ("POST", "/v2/models/tiny/infer", {"content": b"{"}, 400),
    "a probe": ("GET", "/livez", {}, 200),
    "the card": ("GET", "/model", {}, 200),
    "metrics": ("GET", "/metrics", {}, 200),
    "the description": ("GET", "/openapi.json", {}, 200),
    "not found": ("GET", "/nowhere", {}, 404),
    "no file of the page": ("GET", "/page/nowhere.js", {}, 404),
    "not allowed": ("DELETE", "/predict", {}, 405),
    "not JSON": ("POST", "/predict", {"content": b"{", "headers": {"content-type": "application/json"}}, 400),
    "a broken rule": ("POST", "/predict", {"json": {"inputs": [[256, 0]]}}, 422),
    "another type": ("POST", "/predict", {"content": b"x", "headers": {"content-type": "text/plain"}}, 415),
    "too large": ("POST", "/predict", {"content": bytes(1001)}, 413),
}


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[Server]:
    with serving(tiny_model, DEMUR_MAX_BODY_BYTES="1000") as server:
        yield server


@pytest.mark.parametrize(("method", "path", "options", "status"), ANSWERS.values(), ids=ANSWERS)
def test_every_answer_has_the_headers_once_and_no_banner(
    server: Server, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    origin = {"origin": "https://elsewhere.example"}
    response = httpx2.request(
        method, f"{server.address}{path}", **{**options, "headers": {**origin, **options.get("headers", {})}}
    )
    assert response.status_code == status
    expected = {
        name: [value] for name, value in HEADERS.items() if method != "POST" or name == "x-content-type-options"
    }
    assert {name: response.headers.get_list(name) for name in HEADERS if name in response.headers} == expected
    assert "server" not in response.headers
    assert [name for name in response.headers if name.startswith("access-control-")] == []


@pytest.mark.parametrize("path", ["/", "/docs", "/page/main.js"])
def test_pages_have_their_own_policy(server: Server, path: str) -> None:
    response = httpx2.get(f"{server.address}{path}")
    for name in HEADERS:
        assert len(response.headers.get_list(name)) == 1
    assert "script-src 'self'" in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "server" not in response.headers


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
@pytest.mark.parametrize("path", ["/predict", "/model", "/v2/models/tiny/infer", "/metrics"])
def test_pages_of_other_origins_are_not_allowed(server: Server, path: str, method: str) -> None:
    """A browser sends this preflight request before a page of another origin may send JSON."""
    headers = {"origin": "https://elsewhere.example", "access-control-request-method": method}
    headers["access-control-request-headers"] = "content-type, x-api-key"
    response = httpx2.options(f"{server.address}{path}", headers=headers)
    assert response.status_code == 405
    assert [name for name in response.headers if name.startswith("access-control-")] == []


@pytest.mark.parametrize("sent", [b"rubbish\r\n\r\n", b"GET /livez HTTP/9.9\r\n\r\n", b"GET  /\r\nx\r\n\r\n"])
def test_invalid_http_gets_an_error_without_a_banner(server: Server, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent)
        answer = b"".join(iter(lambda: connection.recv(1000), b"")).lower()
    assert answer.startswith(b"http/1.1 400 ")
    assert b"\r\nserver:" not in answer


def _listening(pid: int) -> set[str]:
    """The addresses, in the kernel's hexadecimal, that a process's sockets listen on."""
    sockets = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    addresses = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if f"socket:[{columns[9]}]" in sockets and (columns[3] == "0A" or table.startswith("udp")):
                addresses.add(columns[1])
    return addresses


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="asks Linux which sockets a process has")
def test_service_listens_on_loopback_only(server: Server) -> None:
    assert _listening(server.process.pid) == {f"0100007F:{server.port:04X}"}
