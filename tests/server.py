"""A real service in a separate process, for tests that need a socket or a signal."""

import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx2

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Server:
    """A running `python -m service`."""

    process: "subprocess.Popen[str]"
    port: int
    out: IO[str]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> list[str]:
        """The lines that it has written so far."""
        self.out.seek(0)
        return self.out.read().splitlines()

    def stop(self, number: int) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


def workers_of(server: Server) -> list[int]:
    """The worker processes of a service with several."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def notes_hangup(pid: int) -> bool:
    """Whether a process handles SIGHUP, as a serving one does."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (caught,) = (int(line.split()[1], 16) for line in status if line.startswith("SigCgt:"))
    return bool(caught >> (signal.SIGHUP - 1) & 1)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def command_environment(**settings: str) -> dict[str, str]:
    """The environment with `settings` instead of the machine's own settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DEMUR_")}
    return {**inherited, **settings}


@contextmanager
def serving(model: Path, **settings: str) -> Iterator[Server]:
    """Start the service on `model`, wait until it is ready, and end it afterwards if it still runs."""
    port = free_port()
    settings |= {"DEMUR_MODEL_PATH": str(model), "DEMUR_PORT": str(port)}
    with running("-m", "service", port=port, **settings) as server:
        yield server


@contextmanager
def running(*arguments: str, port: int, **settings: str) -> Iterator[Server]:
    """Run any Python program that serves on `port`, in the same way."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=command_environment(**settings),
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )
        server = Server(process, port, out)
        try:
            wait_until_ready(server, seconds=60)
            yield server
        finally:
            process.kill()
            process.communicate()


def wait_until_ready(server: Server, seconds: float) -> None:
    """Wait until /readyz says 200. Raises with the output if the process ends or takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if httpx2.get(f"{server.address}/readyz", timeout=1).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    server.process.terminate()  # if the process is make, it passes this on
    raise AssertionError(
        f"the service did not become ready: {server.process.communicate(timeout=20)[1]}{server.log()[-20:]}"
    )


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


class Pipe:
    """A pipe to be standard output."""

    def __init__(self) -> None:
        self.out, self.into = os.pipe()

    def fill(self) -> int:
        """Write until nothing more fits; returns the number of bytes."""
        os.set_blocking(self.into, False)
        written = 0
        for size in (4096, 1):
            try:
                while True:
                    written += os.write(self.into, b" " * (size - 1) + b"\n")
            except BlockingIOError:
                pass
        os.set_blocking(self.into, True)
        return written

    def read(self, size: int) -> bytes:
        """Read this many bytes."""
        data = b""
        while len(data) < size:
            data += os.read(self.out, size - len(data))
        return data
