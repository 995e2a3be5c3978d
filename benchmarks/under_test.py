"""A server under test: started on a free port and on a core of its own, waited for, and ended."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

_PATIENCE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is ready."""

    address: str
    pid: int


@contextmanager
def served(arguments: Sequence[str], core: int, **settings: str) -> Iterator[Served]:
    """Run `python ARGUMENTS`, which listens where `DEMUR_PORT` says; ends the program where it does not get ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["taskset", "--cpu-list", str(core), sys.executable, *arguments]
    environment = {**os.environ, "DEMUR_PORT": str(port), **settings}
    server = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address)
        yield Served(address, server.pid)
    finally:
        server.terminate()
        server.wait(timeout=_PATIENCE_SECONDS)


def _wait(address: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{address}/readyz", timeout=1)
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    sys.exit(f"the server under test did not get ready within {_PATIENCE_SECONDS} s")
