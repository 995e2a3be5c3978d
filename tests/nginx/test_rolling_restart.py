"""Two services behind a real nginx, with deploy/nginx/demur.conf, restarted in turn under load. `make test-rolling`."""

import signal
import sys
import threading
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from tests.nginx.pair import pair

pytestmark = pytest.mark.rolling

ROUNDS = 20
CLIENTS = 4  # each with a persistent connection
DRAIN_SECONDS = 1
RAW = {"content-type": "application/octet-stream"}
TENSOR = {"inputs": [{"name": "images", "datatype": "UINT8", "shape": [1, 1, 2], "data": [0, 255]}]}
REQUESTS = [
    ("/predict", {"content": bytes(2), "headers": RAW}),
    ("/models/tiny/predict", {"json": {"inputs": [[[0, 255]]]}}),
    ("/v2/models/tiny/infer", {"json": TENSOR}),
]


class Load:
    """Clients that send requests without pause, and the results: statuses and names of errors."""

    def __init__(self, address: str) -> None:
        self.results: Counter[int | str] = Counter()
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
        results: Counter[int | str] = Counter()
        with httpx2.Client(base_url=self._address, timeout=30) as client:
            while not self._over.is_set():
                path, options = REQUESTS[results.total() % len(REQUESTS)]
                try:
                    results[client.post(path, **options).status_code] += 1  # type: ignore[arg-type]
                except httpx2.HTTPError as error:
                    results[type(error).__name__] += 1
        with self._lock:
            self.results += results


def _roll(model: Path, rounds: int, **settings: str) -> tuple[Counter[int | str], int, list[str]]:
    """Restart each of two services `rounds` times.

    Returns the clients' results, the number of requests during drains, and nginx's complaints.
    """
    in_drains = 0
    with pair(DEMUR_MODEL_PATH=str(model), **settings) as running:
        with Load(running.address) as clients:
            for _ in range(rounds):
                for slot in range(2):
                    status, lines = running.end(slot, signal.SIGTERM)
                    assert status == 0
                    drains = [i for i, line in enumerate(lines) if "draining for" in line]
                    in_drains += sum("POST" in line for line in lines[drains[0] :]) if drains else 0
                    running.start(slot)
        return clients.results, in_drains, running.complaints()


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_fails(tiny_model: Path, workers: int) -> None:
    settings = {"DEMUR_WORKERS": str(workers), "DEMUR_DRAIN_SECONDS": str(DRAIN_SECONDS)}
    results, in_drains, complaints = _roll(tiny_model, ROUNDS, **settings)
    sys.stdout.write(f"{ROUNDS} rolling restarts, {workers=}: {dict(results)}, {in_drains} of them in drains\n")
    assert set(results) == {200}, complaints
    assert in_drains > 2 * ROUNDS  # otherwise no drain was tested
