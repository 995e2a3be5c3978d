"""The README's first commands, run as written: `make serve`, then its `curl`. It trains a model."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.documents import README
from tests.server import ROOT, Server, command_environment, free_port, wait_until_ready

pytestmark = pytest.mark.process


def _command(program: str) -> str:
    """The README's first shell block with one line, which calls `program`."""
    command, *_ = re.findall(rf"^```sh\n({program}.*)\n```", README, re.MULTILINE)
    return str(command)


def test_make_serve_then_curl_gets_the_right_label(tmp_path: Path) -> None:
    port = free_port()
    # A separate model file and port leave the user's model and service alone.
    output = (tmp_path / "output").open("w+")
    make = subprocess.Popen(
        [*_command("make serve").split(), f"MODEL={tmp_path / 'model' / 'model.onnx'}"],
        cwd=ROOT,
        env=command_environment(DEMUR_PORT=str(port)),
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    server = Server(make, port, output)
    wait_until_ready(server, seconds=300)
    try:
        curl = _command("curl").replace(":8000/", f":{port}/")
        answer = json.loads(subprocess.check_output(["bash", "-c", f"{curl} --silent"], cwd=ROOT, text=True))
        assert answer["predictions"][0]["label"] == "Ankle boot"
        left = {path.name for path in (tmp_path / "model").iterdir()}
        assert left >= {"model.onnx", "metrics.json", "curves.png", "report.html", "risk-coverage.png"}
        assert {name.rpartition(".")[2] for name in left} == {"onnx", "json", "png", "html"}
    finally:
        os.killpg(make.pid, signal.SIGINT)  # like Ctrl-C
        make.communicate(timeout=30)
    with output:
        assert "Application shutdown complete" in "\n".join(server.log())
