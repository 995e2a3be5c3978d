"""`python -m service` as a process: it starts, stops gracefully, and explains a failed start in one line."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.server import ROOT, command_environment, free_port, running, serving, workers_of


def _run(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a program that fails to start serving, until it ends."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=command_environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _failing_start(*arguments: str, **settings: str) -> str:
    """The one line of a start that fails, before the application has started."""
    result = _run(*(arguments or ("-m", "service")), **settings)
    assert result.returncode == 1
    assert "startup" not in result.stdout
    assert result.stderr.count("\n") == 1
    return result.stderr


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
    """Wait until the port refuses connections: uvicorn checks for a signal ten times a second."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return
    pytest.fail("the server still takes connections")


PROGRAMS = pytest.mark.parametrize("program", [["-m", "service"], ["demur.py", "serve"]], ids=["service", "demur"])


@PROGRAMS
@pytest.mark.parametrize("workers", ["1", "2"])
def test_missing_model_is_one_line_with_the_next_step(tmp_path: Path, program: list[str], workers: str) -> None:
    path = tmp_path / "nothing.onnx"
    line = _failing_start(*program, DEMUR_MODEL_PATH=str(path), DEMUR_WORKERS=workers)
    assert line == (
        f"demur: cannot read the model {path}: No such file or directory. "
        f"Train one: demur fit --out {path}; or name another: demur serve MODEL\n"
    )


def test_file_that_is_no_model_is_one_line_with_the_next_step(tmp_path: Path) -> None:
    path = tmp_path / "spoilt.onnx"
    path.write_bytes(b"no model")
    line = _failing_start("demur.py", "serve", str(path))
    assert line.startswith(f"demur: {path} is not a model that onnxruntime loads: ")
    assert line.endswith(f". Train one: demur fit --out {path}; or name another: demur serve MODEL\n")


def test_folder_without_a_model_is_one_line_with_the_next_step(tmp_path: Path) -> None:
    line = _failing_start("demur.py", "serve", str(tmp_path))
    assert line.startswith("demur: DEMUR_MODELS=")
    assert line.endswith(f"Train one: demur fit --out {tmp_path}/NAME.onnx\n")


def test_mistyped_setting_is_one_line(tiny_model: Path) -> None:
    line = _failing_start(DEMUR_MODEL_PATH=str(tiny_model), DEMUR_WORKER="2")
    assert line == "demur: DEMUR_WORKER: no such setting; did you mean DEMUR_WORKERS?\n"


def test_default_policy_that_the_model_lacks_is_one_line(tiny_model: Path) -> None:
    line = _failing_start(DEMUR_MODEL_PATH=str(tiny_model), DEMUR_DEFAULT_POLICY='{"selective_risk": 0.05}')
    assert line == (
        "demur: DEMUR_DEFAULT_POLICY, for model tiny: policy.selective_risk=0.05 is not certified by this model; "
        "certified: 0.1; infeasible: 0.01\n"
    )


@PROGRAMS
@pytest.mark.parametrize("workers", ["1", "2"])
def test_port_in_use_is_one_line_with_the_next_step(tiny_model: Path, program: list[str], workers: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        settings = {"DEMUR_MODEL_PATH": str(tiny_model), "DEMUR_PORT": str(port), "DEMUR_WORKERS": workers}
        line = _failing_start(*program, **settings)
    assert line.startswith(f"demur: cannot listen on 127.0.0.1:{port}: port {port} is in use; ")
    assert line.endswith(f"take another: demur serve --port {port + 1}, or DEMUR_PORT={port + 1}\n")


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_address_of_another_machine_is_one_line(tiny_model: Path, host: str) -> None:
    line = _failing_start("demur.py", "serve", str(tiny_model), "--host", host, "--port", "0")
    assert line.startswith(f"demur: cannot listen on {host}:0: ")
    assert line.endswith("; name another host: demur serve --host 127.0.0.1, or DEMUR_HOST\n")


_LIMITED = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))  # no file may be larger, as on a disk that is almost full
runpy.run_module("service", run_name="__main__")
"""


def test_disk_without_room_for_the_counts_of_workers_is_one_line(tiny_model: Path, tmp_path: Path) -> None:
    settings = {"DEMUR_MODEL_PATH": str(tiny_model), "DEMUR_PORT": "0", "TMPDIR": str(tmp_path)}
    line = _failing_start("-c", _LIMITED, **settings, DEMUR_WORKERS="2")
    assert line.startswith(f"demur: cannot reserve 2,097,152 bytes in {tmp_path}/demur-")
    assert line.endswith("name another folder in TMPDIR, or serve with one worker (DEMUR_WORKERS=1)\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["--port=65536", "--port=http", "--workers=0", "--prot=1"])
def test_invalid_option_is_a_usage_error(word: str) -> None:
    result = _run("demur.py", "serve", word)
    assert (result.returncode, result.stdout) == (2, "")
    assert word.partition("=")[0] in result.stderr


@pytest.mark.process
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_options_override_the_settings(tiny_model: Path, tmp_path: Path, workers: int, kind: str) -> None:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(tiny_model, models / "shoes.onnx")
    model, name = (tiny_model, "tiny") if kind == "file" else (models, "shoes")
    settings = {"DEMUR_PORT": "1", "DEMUR_HOST": "192.0.2.1", "DEMUR_WORKERS": "3"}
    settings |= {"DEMUR_MODELS": "/nowhere"} if kind == "file" else {"DEMUR_MODEL_PATH": "/nowhere"}
    port = free_port()
    options = ["--port", str(port), "--host", "localhost", "--workers", str(workers)]
    with running("demur.py", "serve", str(model), *options, port=port, **settings) as server:
        assert httpx2.get(f"{server.address}/v2/models/{name}").status_code == 200
        assert len(workers_of(server)) == (0 if workers == 1 else workers)
        assert server.stop(signal.SIGTERM) == 0
        assert f'"serving on http://localhost:{port} (Ctrl-C to stop)"' in "\n".join(server.log())
