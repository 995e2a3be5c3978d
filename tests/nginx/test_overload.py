"""Two services behind a real nginx, with deploy/nginx/demur.conf, under overload. `make test-rolling`."""

import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.nginx.pair import pair
from tests.service.monitoring.metrics.scraped import read

pytestmark = pytest.mark.rolling

COUNT = 40
RAW = {"content-type": "application/octet-stream"}


def _waiting(ports: list[int]) -> int:
    """The number of connections to these ports with unread data."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[1].split(":")[1], 16) in ports and int(row[4].split(":")[1], 16) > 0 for row in rows)


def test_refusals_pass_through_and_requests_are_not_repeated(tiny_model: Path) -> None:
    settings = {"DEMUR_MODEL_PATH": str(tiny_model), "DEMUR_MAX_CONCURRENT_REQUESTS": "2"}
    with pair(**settings) as running, ThreadPoolExecutor(COUNT) as clients:
        ports = [server.port for server in running.servers]

        def tell(sig: signal.Signals) -> None:
            for server in running.servers:
                server.process.send_signal(sig)

        def at_once() -> list[httpx2.Response]:
            tell(signal.SIGSTOP)
            futures = [
                clients.submit(httpx2.post, f"{running.address}/predict", content=bytes(2), headers=RAW, timeout=30)
                for _ in range(COUNT)
            ]
            deadline = time.monotonic() + 20
            while _waiting(ports) < COUNT:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            tell(signal.SIGCONT)
            return [future.result() for future in futures]

        # Connections are accepted one by one; the requests on those that nginx keeps arrive together.
        answers = at_once() + at_once()
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {200, 503}
        assert {answer.headers.get("retry-after") for answer in answers if answer.status_code == 503} == {"1"}
        scraped = [read(httpx2.get(f"{server.address}/metrics").text) for server in running.servers]
        for status, number in statuses.items():
            counts = (each.total("demur_requests_total", route="/predict", status=str(status)) for each in scraped)
            assert sum(counts) == number
        sys.stdout.write(f"{COUNT} at once through nginx: {dict(statuses)}\n")
