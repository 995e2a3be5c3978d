"""The log of a real service: one line per request from the lane and the application, without delaying answers."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server import ROOT, Server, command_environment, free_port, serving, wait_until_ready

pytestmark = pytest.mark.process

IMAGE = {"inputs": [[255, 0]]}
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
# Headers that leave a request to the fast lane, and one that sends the same request to the application.
WAYS: dict[str, dict[str, str]] = {"lane": {}, "application": {"connection": "close"}}


def _requests(lines: list[str]) -> list[dict[str, Any]]:
    """The lines about requests. Every line of the log must be JSON."""
    return [line for line in map(json.loads, lines) if line["logger"] == "demur.requests"]


def _stopped(server: Server) -> list[dict[str, Any]]:
    assert server.stop(signal.SIGTERM) == 0
    return _requests(server.log())


def test_line_is_complete_and_the_same_on_both_paths(tiny_model: Path) -> None:
    before = datetime.now(UTC)
    with serving(tiny_model) as server:
        for headers in WAYS.values():
            answer = httpx2.post(
                f"{server.address}/predict", json={**IMAGE, "policy": {"threshold": 0.5}}, headers=headers
            )
            assert answer.status_code == 200
            black = {"inputs": [[255, 0], [0, 0]], "policy": {"threshold": 0.5}}
            httpx2.post(f"{server.address}/models/tiny/predict?", json=black, headers={**headers, "x-request-id": "b"})
        first, second, *others = _stopped(server)
    assert {**first, "time": 0, "seconds": 0, "request_id": 0} == {
        "time": 0,
        "level": "info",
        "logger": "demur.requests",
        "request_id": 0,
        "method": "POST",
        "path": "/predict",
        "route": "/predict",
        "status": 200,
        "seconds": 0,
        "model": "tiny",
        "version": answer.json()["model"]["version"],
        "policy": "threshold=0.5",
        "decisions": {"answer": 1},
    }
    assert second["request_id"] == "b"
    assert (second["path"], second["route"]) == ("/models/tiny/predict", "/models/{name}/predict")
    assert second["decisions"] == {"answer": 1, "low_confidence": 1}
    for line, other in zip((first, second), others, strict=True):
        changing = ("time", "seconds", *(["request_id"] if line is first else []))
        assert {**line, **dict.fromkeys(changing)} == {**other, **dict.fromkeys(changing)}
        assert before < datetime.fromisoformat(line["time"]) < before + timedelta(minutes=1)
        assert 0 < line["seconds"] < 10


@pytest.mark.parametrize("way", WAYS)
def test_trace_gives_the_request_its_id(tiny_model: Path, way: str) -> None:
    with serving(tiny_model) as server:
        sent = [
            {"traceparent": TRACEPARENT},
            {"traceparent": TRACEPARENT, "x-request-id": "mine"},
            {"traceparent": TRACEPARENT.upper()},
            {"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"},
        ]
        ids = []
        for headers in sent:
            answer = httpx2.post(f"{server.address}/predict", json=IMAGE, headers={**headers, **WAYS[way]})
            ids.append(answer.headers["x-request-id"])
        lines = _stopped(server)
    trace = TRACEPARENT[3:35]
    assert ids[:2] == [trace, "mine"]
    assert trace not in ids[2:]
    assert [line["request_id"] for line in lines] == ids
    assert [line.get("trace_id") for line in lines] == [trace, trace, None, None]


def test_every_kind_of_answer_is_logged_and_probes_are_not(tiny_model: Path) -> None:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 1, 2], "data": [255, 0]}
    cases: list[tuple[str, str, dict[str, Any], int, str]] = [
        ("GET", "/model", {}, 200, "/model"),
        ("GET", "/predict", {}, 405, "/predict"),
        ("POST", "/predict", {"json": {}}, 422, "/predict"),
        ("GET", "/models/nobody/drift", {}, 404, "/models/{name}/drift"),
        ("GET", "/no/such%0a%1b[31m", {}, 404, "unmatched"),
        ("POST", "/v2/models/tiny/infer", {"json": {"inputs": [tensor]}}, 200, "/v2/models/{name}/infer"),
        ("POST", "/v2/models/tiny/infer", {"content": b"{"}, 400, "/v2/models/{name}/infer"),
        ("POST", "/v1/models/tiny:predict", {"json": {"instances": [[255, 0]]}}, 200, "/v1/models/{name}:predict"),
    ]
    with serving(tiny_model) as server, httpx2.Client(base_url=server.address) as client:
        for method, path, options, status, _ in cases:
            assert client.request(method, path, **options).status_code == status
            assert client.get("/livez").status_code == 200
        lines = _stopped(server)
    assert [(line["method"], line["status"], line["route"]) for line in lines] == [
        (method, status, route) for method, _, _, status, route in cases
    ]
    assert [line.get("decisions") for line in lines] == [None] * 5 + [{"answer": 1}, None, {"answer": 1}]


@contextmanager
def writing_to(out: int, model: Path, **settings: str) -> Iterator[Server]:
    """A service whose standard output is the descriptor `out`."""
    port = free_port()
    environment = command_environment(DEMUR_MODEL_PATH=str(model), DEMUR_PORT=str(port), **settings)
    command = [sys.executable, "-m", "service"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.PIPE, text=True) as process:
        server = Server(process, port, io.StringIO())
        try:
            wait_until_ready(server, seconds=20)
            yield server
        finally:
            process.kill()


def test_lines_of_several_workers_stay_intact(tiny_model: Path) -> None:
    """The workers share one pipe, where a write of more than 4,096 bytes could be torn."""
    requests, connections = 2000, 16
    read, write = os.pipe()

    def ask(server: Server, number: int) -> None:
        with httpx2.Client(base_url=server.address) as client:
            for i in range(requests // connections):
                identity = f"{number}-{i}-".ljust(128, "x")
                assert client.post("/predict", json=IMAGE, headers={"x-request-id": identity}).status_code == 200

    with (
        ThreadPoolExecutor(connections + 1) as threads,
        open(read) as pipe,
        writing_to(write, tiny_model, DEMUR_WORKERS="2") as server,
    ):
        os.close(write)
        lines = threads.submit(pipe.readlines)
        list(threads.map(ask, [server] * connections, range(connections)))
        assert server.stop(signal.SIGTERM) == 0
        logged = _requests(lines.result(timeout=20))
    assert len({line["request_id"] for line in logged}) == len(logged) == requests


@pytest.mark.parametrize("way", WAYS)
def test_full_log_stops_no_answer(tiny_model: Path, way: str) -> None:
    """Standard output is Linux's `/dev/full`, which behaves as a full disk."""
    with Path("/dev/full").open("w") as full, writing_to(full.fileno(), tiny_model) as server:
        for _ in range(20):
            answer = httpx2.post(f"{server.address}/predict", json=IMAGE, headers=WAYS[way])
            assert answer.status_code == 200
        assert server.stop(signal.SIGTERM) == 0


def test_terminal_gets_text(tiny_model: Path) -> None:
    terminal, its_end = pty.openpty()
    output = b""
    with writing_to(its_end, tiny_model) as server:
        os.close(its_end)
        httpx2.post(f"{server.address}/predict", json=IMAGE, headers={"x-request-id": "mine"})
        httpx2.get(f"{server.address}/a%0a%1b[31mb")
        while output.count(b" ms ") < 2:
            output += os.read(terminal, 1000)
    os.close(terminal)
    one, other = [line for line in output.decode().split("\r\n") if " ms " in line]
    assert " info    POST /predict 200 " in one
    assert one.endswith(" ms tiny never_abstain: 1 answer mine")
    assert r"GET '/a\n\x1b[31mb' 404 " in other


@pytest.mark.parametrize(("level", "statuses"), [("warning", []), ("info", [200]), ("debug", [200, 200])])
def test_level_selects_the_lines(tiny_model: Path, level: str, statuses: list[int]) -> None:
    with serving(tiny_model, DEMUR_LOG_LEVEL=level) as server:
        for path in ("livez", "model"):
            httpx2.get(f"{server.address}/{path}")
        lines = _stopped(server)
    after_the_start = [line["status"] for line in lines if line["path"] != "/readyz"]
    assert after_the_start == statuses
