"""The real service in a separate process, with an HTTP client."""

import http.client
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from training.errors import TrainingError

_ROOT = Path(__file__).parent.parent  # the folder of `service`
_START_TIMEOUT = 60.0  # seconds
_PAUSE = 0.01  # seconds between two checks

JSON, RAW = "application/json", "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Service:
    """A service that is ready, with an open connection to it."""

    connection: http.client.HTTPConnection
    ready: float  # seconds from its start

    def send(self, path: str, body: bytes | None = None, media_type: str = JSON) -> bytes:
        """The answer to a GET, or with a body to a POST. Raises TrainingError for an error status."""
        method = "GET" if body is None else "POST"
        self.connection.request(method, path, body, {"Content-Type": media_type})
        response = self.connection.getresponse()
        content = response.read()
        if response.status != http.HTTPStatus.OK:
            raise TrainingError(f"{method} {path} got {response.status}: {content.decode(errors='replace')[:200]}")
        return content

    def cost(self, path: str, body: bytes, times: int, media_type: str = JSON) -> dict[str, float]:
        """The size of an answer in bytes, and the median time of `times` requests in seconds."""
        spent = []
        for _ in range(times):
            start = time.perf_counter()
            answer = self.send(path, body, media_type)
            spent.append(time.perf_counter() - start)
        return {"bytes": len(answer), "seconds": statistics.median(spent)}


@contextmanager
def serving(model: Path) -> Iterator[Service]:
    """Start `python -m service` on `model`, and end it afterwards. Raises TrainingError if it does not start."""
    port = _free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DEMUR_")}
    environment = {**inherited, "DEMUR_MODEL_PATH": str(model), "DEMUR_PORT": str(port)}
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "service"], cwd=_ROOT, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_TIMEOUT)
        try:
            while not _is_ready(connection):
                if process.poll() is not None or time.perf_counter() - start > _START_TIMEOUT:
                    process.kill()
                    raise TrainingError(f"the service did not start: {process.communicate()[1].strip()}")
                time.sleep(_PAUSE)
            yield Service(connection, time.perf_counter() - start)
        finally:
            connection.close()
            process.kill()


def _free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _is_ready(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().read() != b""
    except OSError:
        connection.close()
        return False
