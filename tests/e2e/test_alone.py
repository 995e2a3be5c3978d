"""The serving image with no network, no shell and a root that it may write to, watched by strace from outside.

The engine starts a Python that waits for a line, so that strace is there before the service is: then it becomes the
image's own command.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.http.access import keys
from tests.e2e.engine import CONFINED, READY_SECONDS, call
from tests.server import ROOT

pytestmark = pytest.mark.e2e

_WAIT = "import os, sys; sys.stdin.readline(); os.execvp(sys.argv[1], sys.argv[1:])"
_ASK = """
import json, urllib.request as r
q = r.Request("http://127.0.0.1:8000/predict", data=bytes(2), headers={"content-type": "application/octet-stream"})
print(json.load(r.urlopen(q))["predictions"][0]["confidence"], r.urlopen("http://127.0.0.1:8000/metrics").status)
"""
# What a program may do to a network and to files. A call that failed is one that was tried.
_REACHES_OUT = re.compile(r"^\d+ +(?:connect\(|send(?:to|msg|mmsg)\(.*sin6?_addr)", re.MULTILINE)
_WRITES = re.compile(
    r"^\d+ +(?:open(?:at2?)?\(.*O_(?:CREAT|WRONLY|RDWR)|(?:creat|mkdir|mknod|rename|link|symlink|unlink|rmdir|truncate"
    r"|chmod|fchmod|chown)(?:at2?)?\()",
    re.MULTILINE,
)
_RUNS = re.compile(r'^\d+ +execve\("([^"]+)".* = 0$', re.MULTILINE)


@dataclass(frozen=True)
class Watched:
    """A container that is watched."""

    name: str
    trace: Path
    watcher: "subprocess.Popen[bytes]"

    def exec(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run something beside it in the container, unwatched."""
        return subprocess.run(["docker", "exec", self.name, *command], capture_output=True, text=True, check=False)

    def inspect(self) -> dict[str, Any]:
        """What the engine knows of it."""
        found: dict[str, Any] = json.loads(call(["docker", "inspect", self.name]).stdout)[0]
        return found

    def stop(self) -> str:
        """Stop it, and return what it did."""
        call(["docker", "stop", self.name])
        self.watcher.wait(timeout=READY_SECONDS)
        return self.trace.read_text()


@contextmanager
def _watched(folder: Path, options: list[str], *command: str) -> Iterator[Watched]:
    """Run a command of the serving image under strace; its root is writable, so that what it writes shows."""
    assert shutil.which("strace"), "no strace on this machine: apt-get install strace"
    name, trace = f"demur-alone-{os.getpid()}-{folder.name}", folder / "trace"
    confined = [word for word in CONFINED if word != "--read-only"]
    run = ["docker", "run", "--interactive", "--name", name, "--network", "none", *confined, *options, "demur-serve"]
    with subprocess.Popen(
        [*run, "python", "-c", _WAIT, *command],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as started:  # fmt: skip
        try:
            deadline = time.monotonic() + READY_SECONDS
            while (pid := _pid(name)) == 0:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            as_root = [] if os.getuid() == 0 else ["sudo", "-n"]
            strace = ["strace", "-f", "-qq", "-e", "trace=%network,%file,%process,fchmod", "-o", str(trace), "-p"]
            with subprocess.Popen([*as_root, *strace, str(pid)]) as watcher, _ended(name):
                while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
                    assert watcher.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                assert started.stdin is not None
                started.stdin.write(b"go\n")
                started.stdin.flush()
                yield Watched(name, trace, watcher)
        finally:
            call(["docker", "rm", "--force", "--volumes", name])


@contextmanager
def _ended(name: str) -> Iterator[None]:
    """Whatever happens, the container has ended afterwards, so that nobody waits for it."""
    try:
        yield
    finally:
        call(["docker", "stop", name])


def _pid(name: str) -> int:
    """Of the container's first process, 0 until there is one."""
    found = subprocess.run(
        ["docker", "inspect", "--format", "{{.State.Pid}}", name], capture_output=True, text=True, check=False
    )
    return int(found.stdout) if found.returncode == 0 else 0


@pytest.fixture(scope="module", autouse=True)
def _image() -> None:
    call(["docker", "build", "--target", "serve", "--tag", "demur-serve", "."])


def test_service_reaches_out_to_nobody_writes_nothing_and_needs_no_shell(tiny_model: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(tiny_model, models / "model.onnx")
    for path, mode in ((models, 0o755), (models / "model.onnx", 0o644)):
        path.chmod(mode)  # for the image's user
    nothing = tmp_path / "nothing"
    nothing.touch()
    shells = [word for path in ("/usr/bin/dash", "/usr/bin/bash") for word in ("--volume", f"{nothing}:{path}:ro")]
    options = ["--volume", f"{models}:/models:ro", *shells]
    command = json.loads(call(["docker", "inspect", "--format", "{{json .Config.Cmd}}", "demur-serve"]).stdout)
    with _watched(tmp_path, options, *command) as container:
        deadline = time.monotonic() + READY_SECONDS
        while container.inspect()["State"]["Health"]["Status"] != "healthy":
            assert time.monotonic() < deadline, container.exec("true")
            time.sleep(0.2)
        assert container.exec("sh", "-c", "true").returncode != 0
        assert container.exec("bash", "-c", "true").returncode != 0
        asked = container.exec("python", "-c", _ASK)
        assert asked.returncode == 0, asked.stderr
        confidence, scraped = asked.stdout.split()
        assert (0 < float(confidence) <= 1, scraped) == (True, "200")
        assert call(["docker", "diff", container.name]).stdout == ""
        did = container.stop()
        assert container.inspect()["State"]["ExitCode"] == 0
    assert set(_RUNS.findall(did)) == {"/venv/bin/python"}
    assert did.count("listen(") == 1  # so that the trace is of the service
    assert _REACHES_OUT.findall(did) == []
    assert [line for line in did.splitlines() if _WRITES.match(line)] == []


def test_key_is_made_in_the_image_as_the_document_says() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    stated = re.search(r"`docker run --rm\s+(demur-serve demur key [^`]*)`", text)
    assert stated is not None
    made = call(["docker", "run", "--rm", "--network", "none", *CONFINED, *stated[1].split()])
    presented, line = made.stdout.splitlines()
    found = keys.Keys(keys.parse(line)).find(presented.encode())
    assert found is not None
    assert (found.name, made.stderr) == ("shop", "")


def test_watch_sees_what_it_is_there_for(tmp_path: Path) -> None:
    tries = (
        "import pathlib, socket\n"
        "pathlib.Path('/tmp/x').write_text('x')\n"
        "for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
        "    try:\n"
        "        s = socket.socket(socket.AF_INET, kind)\n"
        "        s.connect(('192.0.2.1', 9)) if kind == socket.SOCK_STREAM else s.sendto(b'x', ('192.0.2.1', 9))\n"
        "    except OSError as error:\n"
        "        pass\n"
        "input()\n"
    )
    with _watched(tmp_path, [], "python", "-c", tries) as container:
        deadline = time.monotonic() + READY_SECONDS
        while "SOCK_DGRAM" not in container.trace.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        did = container.stop()
    assert len(_REACHES_OUT.findall(did)) == 2
    assert [line for line in did.splitlines() if _WRITES.match(line) and '"/tmp/x"' in line]
