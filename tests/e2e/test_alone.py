"""The serving image opens no connections, writes nothing, and needs neither a network nor a shell.

The kernel counts a container's packets, for all libraries. So the service gets a network and a writable root, and must
use neither.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.http.access import keys
from tests.e2e.engine import CONFINED, READY_SECONDS, call
from tests.server import ROOT

pytestmark = pytest.mark.e2e

_ASK = """
import json, urllib.request as r
q = r.Request("http://127.0.0.1:8000/predict", data=bytes(2), headers={"content-type": "application/octet-stream"})
print(json.load(r.urlopen(q))["predictions"][0]["confidence"], r.urlopen("http://127.0.0.1:8000/metrics").status)
"""
_TRY = """
import pathlib, socket, sys
for path in ("/x", "/tmp/x"):
    pathlib.Path(path).write_text("x")
with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
    stream.settimeout(0.1)
    stream.connect_ex(("192.0.2.1", 9))
    datagram.sendto(b"x", ("192.0.2.1", 9))
sys.stdin.readline()
"""
_COUNTED = """
import json, os
lines = [line.split() for line in open("/proc/net/snmp")]
counts = {names[0] + name: int(value) for names, values in zip(lines[::2], lines[1::2])
          for name, value in zip(names[1:], values[1:])}
if os.path.exists("/proc/net/snmp6"):
    counts |= {name: int(value) for name, value in map(str.split, open("/proc/net/snmp6"))}
print(json.dumps([counts, os.listdir("/tmp")]))
"""


@dataclass(frozen=True)
class Container:
    """A running container of the serving image."""

    name: str

    def exec(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in the container."""
        return subprocess.run(["docker", "exec", self.name, *command], capture_output=True, text=True, check=False)

    def inspect(self) -> dict[str, Any]:
        """The engine's description of the container."""
        state: dict[str, Any] = json.loads(call(["docker", "inspect", self.name]).stdout)[0]
        return state

    def traces(self) -> "Traces":
        """Its traces so far. A connection within the container counts as opened and as accepted."""
        counted, temporary = json.loads(call(["docker", "exec", self.name, "python", "-c", _COUNTED]).stdout)
        return Traces(
            connections=counted["Tcp:ActiveOpens"] - counted["Tcp:PassiveOpens"],
            datagrams=counted["Udp:OutDatagrams"] + counted.get("Udp6OutDatagrams", 0),
            files=[*call(["docker", "diff", self.name]).stdout.splitlines(), *temporary],
        )


@dataclass(frozen=True)
class Traces:
    """Traces of a container: outgoing connections, sent datagrams and written files."""

    connections: int
    datagrams: int
    files: list[str]


@contextmanager
def _running(folder: Path, *options: str, command: tuple[str, ...] = ()) -> Iterator[Container]:
    """Run the serving image as deployed, but with a writable root, so that written files show."""
    name = f"demur-alone-{os.getpid()}-{folder.name}"
    confined = [word for word in CONFINED if word != "--read-only"]
    call(["docker", "run", "--detach", "--interactive", "--name", name, *confined, *options, "demur-serve", *command])
    try:
        yield Container(name)
    finally:
        call(["docker", "rm", "--force", "--volumes", name])


def _wait_until(container: Container, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not holds():
        assert time.monotonic() < deadline, container.inspect()["State"]
        time.sleep(0.2)


@pytest.fixture(scope="module", autouse=True)
def _image() -> None:
    call(["docker", "build", "--target", "serve", "--tag", "demur-serve", "."])


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_service_makes_no_connection_writes_nothing_and_needs_no_shell(
    tiny_model: Path, tmp_path: Path, network: str
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(tiny_model, models / "model.onnx")
    for path, mode in ((models, 0o755), (models / "model.onnx", 0o644)):
        path.chmod(mode)  # for the image's user
    nothing = tmp_path / "nothing"
    nothing.touch()
    shells = [word for path in ("/usr/bin/dash", "/usr/bin/bash") for word in ("--volume", f"{nothing}:{path}:ro")]
    with _running(tmp_path, "--network", network, "--volume", f"{models}:/models:ro", *shells) as container:
        _wait_until(container, lambda: container.inspect()["State"]["Health"]["Status"] == "healthy")
        assert container.exec("sh", "-c", "true").returncode != 0
        assert container.exec("bash", "-c", "true").returncode != 0
        result = container.exec("python", "-c", _ASK)
        assert result.returncode == 0, result.stderr
        confidence, scraped = result.stdout.split()
        assert (0 < float(confidence) <= 1, scraped) == (True, "200")
        assert container.traces() == Traces(connections=0, datagrams=0, files=[])
        call(["docker", "stop", container.name])
        assert container.inspect()["State"]["ExitCode"] == 0
        assert call(["docker", "diff", container.name]).stdout == ""


def test_outgoing_packets_are_counted(tmp_path: Path) -> None:
    with _running(tmp_path, "--user", "0", command=("python", "-c", _TRY)) as container:
        _wait_until(container, lambda: container.traces().datagrams > 0)
        traces = container.traces()
    assert (traces.connections, traces.datagrams) == (1, 1)
    assert traces.files == ["A /x", "x"]


def test_documented_command_makes_a_key_in_the_image() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    documented = re.search(r"`docker run --rm\s+(demur-serve demur key [^`]*)`", text)
    assert documented is not None
    made = call(["docker", "run", "--rm", "--network", "none", *CONFINED, *documented[1].split()])
    presented, line = made.stdout.splitlines()
    key = keys.Keys(keys.parse(line)).find(presented.encode())
    assert key is not None
    assert (key.name, made.stderr) == ("shop", "")
