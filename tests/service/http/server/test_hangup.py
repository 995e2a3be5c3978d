"""Real processes, one worker and two: new files are noticed, SIGHUP checks at once, a dead worker is replaced."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests import versions
from tests.server import ROOT, Server, command_environment, free_port, notes_hangup, serving, workers_of

pytestmark = pytest.mark.process

RAW = {"content-type": "application/octet-stream"}
BOTH = pytest.mark.parametrize("workers", [1, 2])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "model.onnx"
    file.write_bytes(versions.good(0))
    return file


@contextlib.contextmanager
def _serving(path: Path, workers: int, **settings: str) -> Iterator[Server]:
    with serving(path, DEMUR_WORKERS=str(workers), DEMUR_LOG_FORMAT="text", **settings) as server:
        if workers > 1:  # a worker that starts later loads what the others serve by then
            _wait_until(lambda: sum(notes_hangup(pid) for pid in workers_of(server)) == workers)
        yield server


def _wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.02)


def _versions(server: Server, count: int = 12) -> set[str]:
    """The versions that answer `count` new connections, which reach all workers."""
    served = set()
    for _ in range(count):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("POST", "/predict", bytes(2), RAW)
        answer = connection.getresponse()
        assert answer.status == 200
        served.add(json.loads(answer.read())["model"]["version"])
        connection.close()
    return served


def _is_version(server: Server, number: int) -> Callable[[], bool]:
    expected = {versions.version_of(versions.good(number))}
    return lambda: _versions(server) == expected


@BOTH
def test_renamed_file_is_noticed(path: Path, workers: int) -> None:
    with _serving(path, workers) as server:
        assert _is_version(server, 0)()
        versions.publish(versions.good(1), path)
        _wait_until(_is_version(server, 1))
        versions.publish(b"nothing", path)
        _wait_until(lambda: sum("model tiny: new file refused" in line for line in server.log()) == workers)
        assert _is_version(server, 1)()
        assert server.stop(signal.SIGTERM) == 0


@BOTH
def test_sighup_checks_at_once_and_does_not_stop_the_service(path: Path, workers: int) -> None:
    with _serving(path, workers, DEMUR_RELOAD_SECONDS="0") as server:
        versions.publish(versions.good(1), path)
        assert _is_version(server, 0)()
        server.process.send_signal(signal.SIGHUP)
        _wait_until(_is_version(server, 1))
        if workers > 1:  # uvicorn would have replaced these
            assert not any("restarting processes" in line for line in server.log())
        assert server.stop(signal.SIGTERM) == 0


def test_sighup_does_not_end_a_service_that_starts(path: Path) -> None:
    port = free_port()
    environment = command_environment(DEMUR_MODEL_PATH=str(path), DEMUR_PORT=str(port), DEMUR_RELOAD_SECONDS="0")
    with subprocess.Popen(
        [sys.executable, "-m", "service"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    ) as process:
        try:
            _wait_until(lambda: notes_hangup(process.pid))
            process.send_signal(signal.SIGHUP)
            _wait_until(lambda: _answers(port))
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=1).status_code == 200
    except httpx2.TransportError:
        return False


def test_replaced_worker_serves_what_the_others_serve(path: Path) -> None:
    with _serving(path, 2) as server:
        versions.publish(versions.good(1), path)
        _wait_until(_is_version(server, 1))
        versions.publish(versions.BAD["other labels"][0](), path)
        _wait_until(lambda: sum("new file refused" in line for line in server.log()) == 2)
        before = set(workers_of(server))
        os.kill(min(before), signal.SIGKILL)
        _wait_until(lambda: len(set(workers_of(server)) - before) == 1)
        # The new worker reaches the same verdicts: it serves the old version and refuses the new file.
        _wait_until(lambda: sum("new file refused" in line for line in server.log()) == 3)
        assert _is_version(server, 1)()


def test_started_request_is_answered_by_its_own_model(path: Path) -> None:
    with _serving(path, 1, DEMUR_RELOAD_SECONDS="0") as server:
        begun = {"/predict": "application/octet-stream", "/explain": "application/octet-stream"}
        connections = {}
        for target, form in begun.items():
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            connection.putrequest("POST", target)
            connection.putheader("Content-Type", form)
            connection.putheader("Content-Length", "2")
            connection.endheaders(b"\xff")
            connections[target] = connection
        assert httpx2.get(f"{server.address}/livez").status_code == 200  # both heads have been read by now
        versions.publish(versions.good(1), path)
        server.process.send_signal(signal.SIGHUP)
        _wait_until(_is_version(server, 1))
        for target, connection in connections.items():
            connection.send(b"\x00")
            answer = connection.getresponse()
            body = answer.read()
            assert (target, answer.status) == (target, 200), body
            assert versions.version_of(versions.good(0)).encode() in body, target
            connection.close()
