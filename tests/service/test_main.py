"""`python -m service` as a process: it starts, stops gracefully, and says in one line why it does not start."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.server import ROOT, command_environment, serving


def _failing_start(**settings: str) -> str:
    """Run the service with settings that it cannot start with, and return what it says."""
    result = subprocess.run(
        [sys.executable, "-m", "service"],
        cwd=ROOT,
        env=command_environment(**settings),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 1
    return result.stderr + result.stdout


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_stops_on_a_signal_with_status_0(tiny_model: Path, stop: signal.Signals) -> None:
    with serving(tiny_model) as server:
        assert httpx2.get(f"{server.address}/livez").status_code == 200
        assert server.stop(stop) == 0


def test_request_in_flight_is_finished(tiny_model: Path) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 2\r\n\r\n"
    with serving(tiny_model) as server, socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head + b"\xff")
        # An answer on another connection shows that the server has had the time to read the first half.
        assert httpx2.get(f"{server.address}/livez").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        _wait_until_refused(server.port)
        connection.sendall(b"\x00")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert server.process.wait(timeout=10) == 0


def _wait_until_refused(port: int) -> None:
    """Return when the port takes no more connections: uvicorn looks for a signal ten times a second."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return
    pytest.fail("the server still takes connections")


def test_missing_model_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "nothing.onnx"
    said = _failing_start(DEMUR_MODEL_PATH=str(path))
    assert said == f"demur: cannot read the model {path}: No such file or directory\n"


def test_unknown_setting_is_one_line(tiny_model: Path) -> None:
    said = _failing_start(DEMUR_MODEL_PATH=str(tiny_model), DEMUR_WORKER="2")
    assert said.startswith("demur: DEMUR_WORKER: no such setting; there are ")
    assert said.count("\n") == 1


def test_default_policy_that_the_model_cannot_keep_is_one_line(tiny_model: Path) -> None:
    said = _failing_start(DEMUR_MODEL_PATH=str(tiny_model), DEMUR_DEFAULT_POLICY='{"selective_risk": 0.05}')
    assert said == (
        "demur: DEMUR_DEFAULT_POLICY, for model tiny: policy.selective_risk=0.05 is not certified by this model; "
        "certified: 0.1; infeasible: 0.01\n"
    )


def test_port_in_use_is_said(tiny_model: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = _failing_start(DEMUR_MODEL_PATH=str(tiny_model), DEMUR_PORT=str(taken.getsockname()[1]))
    assert "address already in use" in said
    assert "Traceback" not in said
