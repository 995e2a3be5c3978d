"""Two services behind a real nginx, by deploy/nginx/demur.conf: restarted in turn under load, and asked too much.

`make test-rolling`.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.server import ROOT, Server, command_environment, free_port, wait_until_ready
from tests.service.observability.scraped import read

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
    given = (ROOT / "deploy" / "nginx" / "demur.conf").read_text()
    for written, taken in {8000: port, 8001: first, 8002: second}.items():
        assert f"127.0.0.1:{written}" in given
        given = given.replace(f"127.0.0.1:{written}", f"127.0.0.1:{taken}")
    (folder / "demur.conf").write_text(given)
    places = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log warn; events {{}}\n"
        f"http {{ access_log off; {places} include {folder}/demur.conf; }}\n"
    )
    process = subprocess.Popen(["nginx", "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"])
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                httpx2.get(f"http://127.0.0.1:{port}/livez").raise_for_status()
                break
            except httpx2.HTTPError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=20)


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


def _waiting(ports: list[int]) -> int:
    """Connections to these ports on which something has come that nobody has read."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[1].split(":")[1], 16) in ports and int(row[4].split(":")[1], 16) > 0 for row in rows)


def test_a_refusal_comes_through_and_no_request_becomes_two(tiny_model: Path) -> None:
    count = 40
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="demur-nginx-")))
        ports = [free_port(), free_port()]
        few = {"DEMUR_MAX_CONCURRENT_REQUESTS": "2"}
        services = [running.enter_context(_started(tiny_model, port, folder / f"{port}.log", **few)) for port in ports]
        for server in services:
            wait_until_ready(server, seconds=30)
        address = running.enter_context(_nginx(folder, *ports))
        clients = running.enter_context(ThreadPoolExecutor(count))

        def at_once() -> list[httpx2.Response]:
            for server in services:
                server.process.send_signal(signal.SIGSTOP)
            asked = [
                clients.submit(httpx2.post, f"{address}/predict", content=bytes(2), headers=RAW, timeout=30)
                for _ in range(count)
            ]
            deadline = time.monotonic() + 20
            while _waiting(ports) < count:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            for server in services:
                server.process.send_signal(signal.SIGCONT)
            return [one.result() for one in asked]

        # Connections are taken one by one: those that nginx has kept bring their requests together.
        answers = at_once() + at_once()
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {200, 503}
        assert {answer.headers.get("retry-after") for answer in answers if answer.status_code == 503} == {"1"}
        scraped = [read(httpx2.get(f"{server.address}/metrics").text) for server in services]
        for status, number in statuses.items():
            found = (each.total("demur_requests_total", route="/predict", status=str(status)) for each in scraped)
            assert sum(found) == number
        sys.stdout.write(f"{count} at once through nginx: {dict(statuses)}\n")
