"""Two services behind a real nginx, by deploy/nginx/demur.conf, restarted in turn under load. `make test-rolling`."""

import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.nginx.starting import given, nginx
from tests.server import ROOT, Server, command_environment, free_port, wait_until_ready

pytestmark = pytest.mark.rolling

ROUNDS = 20
CLIENTS = 4  # each with a connection that it keeps
DRAIN_SECONDS = 1
RAW = {"content-type": "application/octet-stream"}
TENSOR = {"inputs": [{"name": "images", "datatype": "UINT8", "shape": [1, 1, 2], "data": [0, 255]}]}
REQUESTS = [
    ("/predict", {"content": bytes(2), "headers": RAW}),
    ("/models/tiny/predict", {"json": {"inputs": [[[0, 255]]]}}),
    ("/v2/models/tiny/infer", {"json": TENSOR}),
]


class Load:
    """Clients that ask without a pause, and what came of it: statuses, and names of errors."""

    def __init__(self, address: str) -> None:
        self.found: Counter[int | str] = Counter()
        self._address = address
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        found: Counter[int | str] = Counter()
        with httpx2.Client(base_url=self._address, timeout=30) as client:
            while not self._over.is_set():
                path, asked = REQUESTS[found.total() % len(REQUESTS)]
                try:
                    found[client.post(path, **asked).status_code] += 1  # type: ignore[arg-type]
                except httpx2.HTTPError as error:
                    found[type(error).__name__] += 1
        with self._lock:
            self.found += found


@contextmanager
def _started(model: Path, port: int, log: Path, **settings: str) -> Iterator[Server]:
    environment = command_environment(DEMUR_MODEL_PATH=str(model), DEMUR_PORT=str(port), **settings)
    with log.open("w+") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "service"], cwd=ROOT, env=environment, stdout=out, stderr=out, text=True
        )
        try:
            yield Server(process, port, out)
        finally:
            process.kill()
            process.wait()


@contextmanager
def _nginx(folder: Path, first: int, second: int) -> Iterator[str]:
    """nginx with the configuration that we give away, on other ports; yields its address."""
    port = free_port()
    ports = {8000: port, 8001: first, 8002: second}
    replaced = {f"127.0.0.1:{written}": f"127.0.0.1:{taken}" for written, taken in ports.items()}
    with nginx(folder, given("demur.conf", **replaced), port):
        yield f"http://127.0.0.1:{port}"


def _roll(model: Path, rounds: int, **settings: str) -> tuple[Counter[int | str], int, list[str]]:
    """Restart each of two services so many times.

    Returns what the clients got, the requests of the drains, and what nginx says of more than a refused connection.
    """
    in_drains = 0
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="demur-nginx-")))
        ports = [free_port(), free_port()]

        def start(slot: int) -> tuple[ExitStack, Server]:
            one = running.enter_context(ExitStack())
            server = one.enter_context(_started(model, ports[slot], folder / f"{slot}.log", **settings))
            wait_until_ready(server, seconds=30)
            return one, server

        services = [start(slot) for slot in range(2)]
        load = running.enter_context(ExitStack())
        clients = load.enter_context(Load(running.enter_context(_nginx(folder, *ports))))
        for _ in range(rounds):
            for slot in range(2):
                stack, server = services[slot]
                server.process.send_signal(signal.SIGTERM)
                assert server.process.wait(timeout=30) == 0
                lines = server.log()
                drains = [i for i, line in enumerate(lines) if "draining for" in line]
                in_drains += sum("POST" in line for line in lines[drains[0] :]) if drains else 0
                stack.close()
                services[slot] = start(slot)
        load.close()
        complaints = [line for line in (folder / "error.log").read_text().splitlines() if "refused" not in line]
        return clients.found, in_drains, complaints


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_fails(tiny_model: Path, workers: int) -> None:
    rounds = ROUNDS if workers == 1 else ROUNDS // 4
    settings = {"DEMUR_WORKERS": str(workers), "DEMUR_DRAIN_SECONDS": str(DRAIN_SECONDS)}
    found, in_drains, complaints = _roll(tiny_model, rounds, **settings)
    sys.stdout.write(f"{rounds} rolling restarts, {workers=}: {dict(found)}, {in_drains} of them in drains\n")
    assert set(found) == {200}, complaints
    assert in_drains > 2 * rounds  # or the drains were not what was tested
