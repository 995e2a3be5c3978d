"""The drain: probes answer 503, other requests are answered and close their connection; the effect of each signal."""

import base64
import http.client
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient

from tests.server import Pipe, Server, serving, writing_to
from tests.service.pictures import blank

pytestmark = pytest.mark.process

RAW = {"content-type": "application/octet-stream"}
HALF = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 2\r\n\r\n\xff"
DRAINING = "draining for 300 seconds: /readyz answers 503"
LONG = "300"  # seconds, longer than any test waits
BOTH = pytest.mark.parametrize(
    "workers",
    [
        1,
        pytest.param(
            2, marks=pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks for a process's children")
        ),
    ],
)


@pytest.mark.parametrize("path", ["/readyz", "/models/tiny/readyz"])
def test_probe_says_503(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200
    client.app.state.drain.begin()  # type: ignore[attr-defined]
    response = client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
    assert response.json()["detail"] == "the service is stopping: send requests elsewhere"


@pytest.mark.parametrize(
    "path",
    ["/v1/models/tiny", "/v2/health/ready", "/v2/models/tiny/ready", "/v2/models/tiny/versions/{version}/ready"],
)
def test_probe_of_a_standard_protocol_says_503_in_its_form(client: TestClient, path: str) -> None:
    path = path.format(version=client.get("/models/tiny").json()["version"])
    assert client.get(path).status_code == 200
    client.app.state.drain.begin()  # type: ignore[attr-defined]
    response = client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (503, "application/json")
    assert response.json() == {"error": "the service is stopping: send requests elsewhere"}


def test_other_requests_are_answered(client: TestClient) -> None:
    client.app.state.drain.begin()  # type: ignore[attr-defined]
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 1, 2], "data": [0, 255]}
    answers = [
        client.get("/livez"),
        client.get("/v2/health/live"),
        client.get("/model"),
        client.post("/predict", content=bytes(2), headers=RAW),
        client.post("/models/tiny/predict", json={"inputs": [[[0, 255]]]}),
        client.post("/v1/models/tiny:predict", json={"instances": [[[0, 255]]]}),
        client.post("/v2/models/tiny/infer", json={"inputs": [tensor]}),
        client.get("/metrics"),
    ]
    assert [(response.status_code, response.headers["connection"]) for response in answers] == [(200, "close")] * len(
        answers
    )
    assert "demur_ready 0.0\n" in answers[-1].text
    assert "demur_draining 1.0\n" in answers[-1].text


@contextmanager
def _serving(model: Path, workers: int, **settings: str) -> Iterator[Server]:
    with serving(model, DEMUR_WORKERS=str(workers), **settings) as server:
        _wait_until(lambda: sum("startup complete" in line for line in server.log()) == workers)
        yield server


def _wait_until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.01)


def _statuses(server: Server, path: str, count: int = 1) -> set[int]:
    """The statuses on `count` connections, so that every worker takes some."""
    return {httpx2.get(f"{server.address}{path}").status_code for _ in range(count)}


def _refuses(server: Server) -> bool:
    """Whether the port refuses connections."""
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
    except OSError:
        return True
    return False


def _connection(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


@BOTH
def test_service_answers_after_sigterm_and_stops_on_a_second_signal(tiny_model: Path, workers: int) -> None:
    with _serving(tiny_model, workers, DEMUR_DRAIN_SECONDS=LONG) as server, _connection(server) as in_flight:
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        kept.request("POST", "/predict", bytes(2), RAW)
        before = kept.getresponse()
        assert (before.status, before.read()[:9], before.headers["connection"]) == (200, b'{"model":', None)
        if workers > 1:  # like systemd, which signals the whole group of processes
            children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
            for pid in children:
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(int(pid), signal.SIGTERM)
        server.process.send_signal(signal.SIGTERM)
        _wait_until(lambda: _statuses(server, "/readyz", 10) == {503})
        assert _statuses(server, "/livez", 10) == {200}
        kept.request("POST", "/predict", bytes(2), RAW)
        response = kept.getresponse()
        assert (response.status, response.read()[:9], response.headers["connection"]) == (200, b'{"model":', "close")
        fresh = httpx2.post(f"{server.address}/predict", content=bytes(2), headers=RAW)
        assert (fresh.status_code, fresh.headers["connection"]) == (200, "close")
        in_flight.sendall(HALF)
        assert _statuses(server, "/livez", 10) == {200}  # by which the first half has been read
        _wait_until(lambda: sum(DRAINING in line for line in server.log()) == workers)  # once in each, at its next tick
        server.process.send_signal(signal.SIGTERM)
        _wait_until(lambda: _refuses(server))
        in_flight.sendall(b"\x00")
        assert in_flight.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert server.process.wait(timeout=20) == 0


@BOTH
def test_drain_ends_by_itself(tiny_model: Path, workers: int) -> None:
    with _serving(tiny_model, workers, DEMUR_DRAIN_SECONDS="1") as server:
        began = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began >= 1


def test_open_connection_gets_one_answer_at_the_end(tiny_model: Path) -> None:
    with _serving(tiny_model, 1, DEMUR_DRAIN_SECONDS="1") as server, _connection(server) as connection:
        server.process.send_signal(signal.SIGTERM)
        _wait_until(lambda: _refuses(server))
        connection.sendall(HALF + b"\x00")
        assert b"\r\nconnection: close\r\n" in connection.recv(1000)
        assert server.process.wait(timeout=20) == 0


def test_ctrl_c_does_not_wait(tiny_model: Path) -> None:
    with _serving(tiny_model, 1, DEMUR_DRAIN_SECONDS=LONG) as server:
        assert server.stop(signal.SIGINT) == 0
        assert not any("draining" in line for line in server.log())


@BOTH
def test_last_signal_stops_at_once(tiny_model: Path, workers: int) -> None:
    settings = {"DEMUR_DRAIN_SECONDS": LONG, "DEMUR_SHUTDOWN_SECONDS": LONG}
    with _serving(tiny_model, workers, **settings) as server, _connection(server) as in_flight:
        in_flight.sendall(HALF)
        assert _statuses(server, "/livez", 10) == {200}
        server.process.send_signal(signal.SIGTERM)
        _wait_until(lambda: _statuses(server, "/readyz", 10) == {503})
        server.process.send_signal(signal.SIGTERM)
        _wait_until(lambda: _refuses(server))
        assert server.process.poll() is None
        assert server.stop(signal.SIGTERM) == 0


def test_without_a_drain_a_second_signal_stops_at_once(tiny_model: Path) -> None:
    with _serving(tiny_model, 1, DEMUR_SHUTDOWN_SECONDS=LONG) as server, _connection(server) as in_flight:
        in_flight.sendall(HALF)
        assert _statuses(server, "/livez") == {200}
        server.process.send_signal(signal.SIGTERM)
        _wait_until(lambda: _refuses(server))
        assert server.stop(signal.SIGTERM) == 0


@BOTH
def test_requests_cut_by_the_stop_get_an_error(tiny_model: Path, workers: int) -> None:
    with _serving(tiny_model, workers, DEMUR_SHUTDOWN_SECONDS="1") as server, ExitStack() as stack:
        connections = [stack.enter_context(_connection(server)) for _ in range(4)]
        body, body_by_application, head, _ = connections
        body.sendall(HALF)
        body_by_application.sendall(HALF.replace(b"/predict", b"/v2/models/tiny/infer"))
        head.sendall(HALF[:30])
        assert _statuses(server, "/livez", 10) == {200}  # by which all of it has been read
        assert server.stop(signal.SIGTERM) == 0
        answers = [b"".join(iter(partial(connection.recv, 4096), b"")) for connection in connections]
        assert not [line for line in server.log() if "Traceback" in line or "Exception" in line]
    assert answers.pop() == b""
    forms = b"application/problem+json", b"application/json", b"application/problem+json"
    for answer, form in zip(answers, forms, strict=True):
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert {b"connection: close", b"content-type: " + form} <= set(answer.lower().split(b"\r\n"))
        assert b'"the service is stopping: send requests elsewhere"' in answer


@BOTH
def test_stop_waits_neither_for_threads_nor_for_the_log(tiny_model: Path, workers: int, pipe: Pipe) -> None:
    """All threads decode pictures, for longer than the test may take, and nobody reads standard output."""
    picture = base64.b64encode(blank("RGB", (7000, 7000), "WEBP")).decode()
    body = {"inputs": [picture] * 60, "resize": True}
    settings = {"DEMUR_MAX_REQUEST_PIXELS": str(10**10), "DEMUR_SHUTDOWN_SECONDS": "1", "DEMUR_WORKERS": str(workers)}

    def ask(server: Server) -> int:
        return httpx2.post(f"{server.address}/predict", json=body, timeout=60).status_code

    pipe.fill()
    with ThreadPoolExecutor(8) as threads, writing_to(pipe.into, tiny_model, **settings) as server:
        asked = [threads.submit(ask, server) for _ in range(8)]
        _wait_until(lambda: "demur_requests_in_flight 9.0" in httpx2.get(f"{server.address}/metrics").text)
        assert server.stop(signal.SIGTERM) == 0
        assert [each.result() for each in asked] == [503] * 8
