"""A server under test, on a free port and on separate cores, ended with all its children."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import tree

_ROOT = Path(__file__).parent.parent
_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is ready."""

    port: int
    pid: int
    seconds_to_ready: float  # from the start of the process

    @property
    def address(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def served(
    arguments: Sequence[str],
    *cores: int,
    python: str | Path = sys.executable,
    ready: str = "/readyz",
    poll_seconds: float = 0.05,
    settings: Mapping[str, str] | None = None,
    **more_settings: str,
) -> Iterator[Served]:
    """Run `python ARGUMENTS`, which listens where `DEMUR_PORT` says; ends the program if it does not get ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["taskset", "--cpu-list", ",".join(map(str, cores)), str(python), *arguments]
    environment = {**os.environ, "DEMUR_PORT": str(port), **(settings or {}), **more_settings}
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        server = subprocess.Popen(
            command, env=environment, cwd=_ROOT, stdout=output, stderr=output, start_new_session=True
        )  # a session of its own: its children end with it
        try:
            if not _ready(server, port, ready, start + _PATIENCE_SECONDS, poll_seconds):
                output.seek(0)
                sys.exit(f"{' '.join(arguments)} did not get ready: {output.read()[-2000:].decode(errors='replace')}")
            yield Served(port, server.pid, time.perf_counter() - start)
        finally:
            _end(server)


def _ready(server: subprocess.Popen[bytes], port: int, path: str, deadline: float, poll_seconds: float) -> bool:
    while server.poll() is None and time.perf_counter() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == http.HTTPStatus.OK:
                return True
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(poll_seconds)
    return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ask it to stop, and kill the processes that remain."""
    processes = tree(server.pid)
    server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(timeout=20)
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.wait()
