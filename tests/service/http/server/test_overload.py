"""Overload: surplus requests are refused at once; every request is answered and counted."""

import asyncio
import json
import logging
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import anyio
import httpx2
import pytest
import uvloop
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.testclient import TestClient

from service.app import create_app
from service.http.admission import Admission
from service.monitoring.metrics.metrics import Metrics
from service.monitoring.metrics.tallies import Tallies
from service.monitoring.worker_slot import ALONE
from service.settings import Settings
from tests.server import Server, serving
from tests.service.monitoring.metrics.scraped import read

MAX_REQUESTS, COUNT = 8, 40
BODY = b'{"inputs": [[255, 0]]}'
TENSORS = json.dumps({"inputs": [{"name": "images", "datatype": "UINT8", "shape": [1, 1, 2], "data": [0, 1]}]}).encode()
TENSORS += b" " * 70_000  # a body of this size is worked on in a thread


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[Server]:
    with serving(tiny_model, DEMUR_MAX_CONCURRENT_REQUESTS=str(MAX_REQUESTS)) as running:
        yield running
        assert running.stop(signal.SIGTERM) == 0
        assert not [line for line in running.log() if "Traceback" in line]


def _at_once(server: Server, requests: list[bytes]) -> list[tuple[int, dict[str, str], bytes]]:
    """The status, headers and body of each answer. All requests are waiting when the service wakes up."""
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in requests]
        httpx2.get(f"{server.address}/livez")  # the connections before it are accepted by now
        server.process.send_signal(signal.SIGSTOP)
        for connection, request in zip(connections, requests, strict=True):
            connection.sendall(request)
        server.process.send_signal(signal.SIGCONT)
        return [_answer(stack.enter_context(connection.makefile("rb"))) for connection in connections]


def _answer(file: BinaryIO) -> tuple[int, dict[str, str], bytes]:
    status = int(file.readline().split()[1])
    lines = [line.decode().rstrip().partition(": ") for line in iter(file.readline, b"\r\n")]
    headers = {name.lower(): value for name, _, value in lines}
    return status, headers, file.read(int(headers["content-length"]))


def _rejected(server: Server) -> float:
    scraped = read(httpx2.get(f"{server.address}/metrics").text)
    return scraped.value("demur_rejected_total", reason="max_concurrent_requests")


def _request(path: str, body: bytes = b"", method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    return "\r\n".join([*lines, "X-Request-ID: mine", "", ""]).encode() + body


@pytest.mark.parametrize(
    ("path", "route", "body"),
    [
        ("/predict", "/predict", BODY),
        ("/models/tiny/predict", "/models/{name}/predict", BODY),
        ("/explain", "/explain", BODY),
        ("/v2/models/tiny/infer", "/v2/models/{name}/infer", TENSORS),
    ],
)
def test_surplus_requests_are_refused_at_once_and_counted(server: Server, path: str, route: str, body: bytes) -> None:
    before = _rejected(server)
    probes = [_request(probe, method="GET") for probe in ("/livez", "/readyz", "/metrics", "/v2/health/ready")]
    answers = _at_once(server, [_request(path, body)] * COUNT + probes)
    predictions, probe_answers = answers[:COUNT], answers[COUNT:]
    assert [status for status, _, _ in probe_answers] == [200] * len(probes)
    refused = [(headers, text) for status, headers, text in predictions if status != 200]
    assert 1 <= COUNT - len(refused) <= COUNT / 2  # MAX_REQUESTS in one turn of the event loop
    assert {status for status, _, _ in predictions} == {200, 503}
    detail = "the service is overloaded: wait at least 1 s, then send the request again"
    problem = {"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": detail}
    body_of_all = {"error": detail} if path.startswith("/v2") else {**problem, "request_id": "mine"}
    for headers, text in refused:
        assert (headers["retry-after"], headers["x-request-id"]) == ("1", "mine")
        assert headers["content-type"] == f"application/{'json' if path.startswith('/v2') else 'problem+json'}"
        assert headers.get("connection") != "close"
        assert json.loads(text) == body_of_all
    counted = read(httpx2.get(f"{server.address}/metrics").text).samples
    by_status = {
        dict(labels)["status"]: value
        for (name, labels), value in counted.items()
        if name == "demur_requests_total" and ("route", route) in labels
    }
    assert by_status == {"200": COUNT - len(refused), "503": len(refused)}
    assert _rejected(server) - before == len(refused)
    assert '"status":503' not in "".join(server.log())


def test_client_that_closes_its_connections_is_refused_as_well(server: Server) -> None:
    closing = _request("/predict", BODY).replace(b"X-Request", b"Connection: close\r\nX-Request")
    answers = _at_once(server, [closing] * COUNT)
    statuses = [status for status, _, _ in answers]
    assert set(statuses) == {200, 503}
    assert {headers["connection"] for _, headers, _ in answers} == {"close"}


def test_stall_refuses_nothing_afterwards(server: Server) -> None:
    body = _request("/predict", BODY)
    assert {status for status, _, _ in _at_once(server, [body] * COUNT)} == {200, 503}  # the process was held up
    for _ in range(3):
        assert {status for status, _, _ in _at_once(server, [body] * MAX_REQUESTS)} == {200}


def _limits(admission: Admission, time: list[float], turns: list[tuple[int, float]]) -> list[int]:
    """The limit after each turn of the event loop, by its refusals and the seconds of an answer; `time` is the clock's.

    Each turn answers as many requests as it may; a refusal takes a quarter of an answer's time.
    """

    async def run() -> list[int]:
        limits = []
        for refused, seconds in turns:
            admission.requests = admission.limit
            time[0] += (admission.limit + refused / 4) * seconds
            assert all(admission.refuses() for _ in range(refused))
            await asyncio.sleep(0)
            limits.append(admission.limit)
        return limits

    return asyncio.run(run())


MILLISECOND = 1 / 1024  # without a rounding error


@pytest.mark.parametrize(
    ("turns", "limits"),
    [
        ([(400, 1.0), (0, 1.0), (400, 1.0), (0, 1.0)], [128] * 4),  # held up twice
        ([(8, MILLISECOND)] * 8, [128, 64, 32, 16, 15, 16, 15, 16]),  # 15 ms of answers a turn
        ([(8, 0.1)] * 9, [128, 64, 32, 16, 8, 4, 2, 1, 1]),
        ([(900, MILLISECOND / 16)] * 4, [128] * 4),  # 22 ms a turn, of which a lower limit would shorten 8
        ([(8, 1.0)] * 3 + [(1, MILLISECOND / 16)] * 9, [128, 64, 32, 36, 40, 45, 50, 56, 63, 70, 78, 87]),
    ],
    ids=["stall", "slow answers", "very slow answers", "many refusals", "recovery"],
)
def test_limit_follows_the_time_of_the_answers(turns: list[tuple[int, float]], limits: list[int]) -> None:
    time = [0.0]
    admission = Admission(128, 1, Metrics(Tallies(ALONE)), lambda: time[0])
    assert _limits(admission, time, turns) == limits


def test_log_has_one_line_a_second_for_all_refusals(caplog: pytest.LogCaptureFixture) -> None:
    time = [0.0]
    admission = Admission(128, 1, Metrics(Tallies(ALONE)), lambda: time[0])
    with caplog.at_level(logging.WARNING, "demur"):
        assert _limits(admission, time, [(3, 1.0), (4, 1.0), (0, 1.0)]) == [128, 64, 64]
        admission.check()
        assert admission.limit == 64
        assert _limits(admission, time, [(1, 1.0)]) == [64]
        admission.check()
        admission.check()  # after a second without a refusal
        assert admission.limit == 128
    assert caplog.messages == [f"overloaded: refused {n} requests in the last second" for n in (7, 1)]


def test_bodies_are_bounded_together(tiny_model: Path) -> None:
    with serving(tiny_model, DEMUR_MAX_BODIES_BYTES="1000000", DEMUR_MAX_BODY_BYTES="400000") as server:
        with ExitStack() as stack:
            connections = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(8)]
            for connection in connections:
                connection.sendall(_request("/explain", bytes(300_000))[:-1])  # which may come to 2.4 MB
            refused, _, _ = select.select(connections, [], [], 10)
            answers = [_answer(stack.enter_context(connection.makefile("rb"))) for connection in refused]
            assert {(status, headers["retry-after"]) for status, headers, _ in answers} == {(503, "1")}
            small = httpx2.post(f"{server.address}/predict", content=BODY, headers={"content-type": "application/json"})
            assert small.status_code == 200
        deadline = time.monotonic() + 10
        large = {"content": BODY + b" " * 300_000, "headers": {"content-type": "application/json"}}
        while httpx2.post(f"{server.address}/predict", **large).status_code != 200:  # type: ignore[arg-type]
            assert time.monotonic() < deadline
        scraped = read(httpx2.get(f"{server.address}/metrics").text)
        assert scraped.value("demur_rejected_total", reason="max_bodies_bytes") >= len(refused)
        assert server.stop(signal.SIGTERM) == 0


class _Checked:
    """A connection that counts its checks, and then may fail."""

    def __init__(self, *, fails: bool) -> None:
        self.fails, self.checks = fails, 0

    def check(self, _: float) -> None:
        self.checks += 1
        if self.fails:
            raise RuntimeError


def test_failing_connection_does_not_hide_others(tiny_model: Path, caplog: pytest.LogCaptureFixture) -> None:
    connections = create_app(Settings(model_path=tiny_model)).state.connections
    opened = [_Checked(fails=i % 2 == 0) for i in range(4)]
    for connection in opened:
        connections.opened(connection)
    connections.check()
    connections.check()
    assert [connection.checks for connection in opened] == [2] * 4
    assert caplog.messages.count("a connection could not be checked") == 4


def test_what_has_arrived_is_answered_before_connections_are_checked(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a stall: a kept connection whose next request waits in the kernel is not idle."""
    monkeypatch.setattr("service.http.server.connections.CHECK_SECONDS", 0.01)
    connections = create_app(Settings(model_path=tiny_model)).state.connections
    checked = _Checked(fails=False)
    connections.opened(checked)

    async def checks_when_answered() -> int:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[int] = loop.create_future()
        with ExitStack() as stack:
            (near, far), (waking, alarm) = ([*map(stack.enter_context, socket.socketpair())] for _ in range(2))

            def hold_up() -> None:
                loop.remove_reader(waking)
                far.send(b"request")
                began = time.monotonic()
                while time.monotonic() < began + 0.02:  # until the check is due
                    pass

            def answer() -> None:
                loop.remove_reader(near)
                answered.set_result(checked.checks)

            loop.add_reader(near, lambda: loop.call_soon(answer))
            loop.add_reader(waking, hold_up)
            watching = asyncio.create_task(connections.watch())
            await asyncio.sleep(0)
            alarm.send(b"now")
            checks = await answered
            watching.cancel()
        return checks

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(checks_when_answered()) == 0


def _app(tiny_model: Path, released: threading.Event) -> FastAPI:
    """An application with routes that work until they are released, and without end."""
    app = create_app(Settings(model_path=tiny_model, request_seconds=1, max_concurrent_requests=2))

    @app.get("/work")
    async def work() -> None:
        await run_in_threadpool(released.wait)

    @app.get("/wait")
    async def wait() -> None:
        await anyio.sleep_forever()

    return app


def test_late_answer_is_503(tiny_model: Path) -> None:
    with TestClient(_app(tiny_model, threading.Event())) as client:
        began = time.monotonic()
        answer = client.get("/wait")
        assert 1 <= time.monotonic() - began < 10
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["detail"] == "the request was not answered within 1 s"
        assert read(client.get("/metrics").text).value("demur_rejected_total", reason="request_seconds") == 1


def test_started_work_counts_until_it_ends(tiny_model: Path) -> None:
    released = threading.Event()
    app = _app(tiny_model, released)
    admission = app.state.connections.admission
    with TestClient(app) as client:
        answers: list[int] = []
        threads = [threading.Thread(target=lambda: answers.append(client.get("/work").status_code)) for _ in range(2)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 10
        while admission.requests < 2:
            assert time.monotonic() < deadline
        began = time.monotonic()
        while time.monotonic() < began + 1.5:  # longer than a request may take
            assert admission.requests == 2
            assert client.get("/model").status_code == 503
        released.set()
        for thread in threads:
            thread.join(10)
        assert answers == [503, 503]
        assert admission.requests == 0
        admission.check()
        admission.check()
        assert client.get("/model").status_code == 200
