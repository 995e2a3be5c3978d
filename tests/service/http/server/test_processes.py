"""Several workers on one port: they share counts, a dead one is replaced, and all stop together."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import numpy as np
import pytest

from service.contract.policy import ThresholdPolicy
from service.inference.classifier import Scores
from service.inference.outcome import ModelRef
from service.inference.prediction_id import PredictionIds
from service.monitoring.drift.drift import Drift
from service.monitoring.drift.schema import DriftResponse
from service.monitoring.drift.windows import Windows
from service.monitoring.feedback.feedback import Feedback
from service.monitoring.feedback.store import FeedbackStore
from service.monitoring.worker_slot import WorkerSlot, claim
from tests import tiny
from tests.server import ROOT, Server, command_environment, free_port, serving
from tests.service.monitoring.metrics.scraped import Scraped, read

pytestmark = pytest.mark.process

RAW = {"content-type": "application/octet-stream"}
WORKERS = 2
VERSION = "0123456789ab"


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[Server]:
    with serving(tiny_model, DEMUR_WORKERS=str(WORKERS)) as running:
        _wait_until(lambda: len(_workers(running)) == WORKERS)
        yield running


def _workers(server: Server) -> list[int]:
    """The processes that the service has started to serve."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def _wait_until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.05)


def _predict(server: Server, requests: int) -> list[str]:
    """Send requests on separate connections, so that every worker gets some. Returns the ids."""

    def ask(_: int) -> str:
        answer = httpx2.post(f"{server.address}/predict", content=bytes(2), headers=RAW)
        identity: str = answer.json()["predictions"][0]["id"]
        return identity

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(ask, range(requests)))


def _scrape(server: Server) -> Scraped:
    """The metrics, from the worker that takes the connection."""
    return read(httpx2.get(f"{server.address}/metrics").text)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for a process's children")
class TestService:
    """One service with two workers."""

    def test_every_worker_reports_the_counts_of_all(self, server: Server) -> None:
        before = httpx2.get(f"{server.address}/drift").json()["inputs_since"]
        ids = _predict(server, 60)
        assert len(set(ids)) == 60
        answers = {httpx2.get(f"{server.address}/drift").json()["inputs_since"] for _ in range(12)}
        assert answers == {before + 60}
        for i, identity in enumerate(ids):
            feedback = httpx2.post(f"{server.address}/feedback", json={"id": identity, "label": tiny.LABELS[i % 2]})
            assert feedback.status_code == 200
        counts = {json.dumps(httpx2.get(f"{server.address}/feedback").json()["policies"]) for _ in range(12)}
        (policies,) = map(json.loads, counts)
        assert [(p["answered"] + p["abstained"]) for p in policies] == [60]
        again = httpx2.post(f"{server.address}/feedback", json={"id": ids[0], "label": tiny.LABELS[2]})
        assert again.status_code == 409

    def test_every_scrape_has_the_counts_of_all(self, server: Server) -> None:
        before = _scrape(server)
        _predict(server, 60)
        scrapes = [_scrape(server) for _ in range(12)]
        for name in (
            "demur_inputs_total",
            "demur_decisions_total",
            "demur_confidence_count",
            "demur_request_duration_seconds_count",
        ):
            labels = {"route": "/predict"} if name.startswith("demur_request") else {}
            assert {scraped.total(name, **labels) - before.total(name, **labels) for scraped in scrapes} == {60}
        assert {scraped.value("demur_workers") for scraped in scrapes} == {WORKERS}
        for slot in ("0", "1"):  # every scrape covers each worker's process
            assert len({scraped.value("process_start_time_seconds", worker=slot) for scraped in scrapes}) == 1
            assert scrapes[0].value("process_resident_memory_bytes", worker=slot) > 2**24

    def test_dead_worker_is_replaced_and_no_count_is_lost(self, server: Server) -> None:
        ids = _predict(server, 1)
        counted = httpx2.post(f"{server.address}/feedback", json={"id": ids[0], "label": "left"}).json()
        scraped = _scrape(server)
        before = _workers(server)
        os.kill(before[0], signal.SIGKILL)
        _wait_until(lambda: len(set(_workers(server)) - {before[0]}) == WORKERS)
        _wait_until(lambda: httpx2.get(f"{server.address}/readyz").status_code == 200)
        (policy,) = httpx2.get(f"{server.address}/feedback").json()["policies"]
        assert policy == counted
        _wait_until(lambda: _scrape(server).value("demur_worker_restarts_total") == 1)
        _predict(server, 20)
        after = [_scrape(server) for _ in range(12)]
        for name in ("demur_inputs_total", "demur_decisions_total", "demur_confidence_count"):
            assert {later.total(name) - scraped.total(name) for later in after} == {20}

    def test_service_leaves_nothing_behind(self, tiny_model: Path, tmp_path: Path) -> None:
        with serving(tiny_model, DEMUR_WORKERS="2", TMPDIR=str(tmp_path)) as running:
            _wait_until(lambda: len(list(tmp_path.glob("demur-*/worker-*"))) == WORKERS)
            workers = _workers(running)
            assert running.stop(signal.SIGTERM) == 0
        assert list(tmp_path.iterdir()) == []
        assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]

    def test_workers_do_not_outlive_the_service(self, tiny_model: Path) -> None:
        with serving(tiny_model, DEMUR_WORKERS="2") as running:
            _wait_until(lambda: len(_workers(running)) == WORKERS)
            workers = _workers(running)
            running.process.kill()
            running.process.wait()
            _wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def test_worker_that_does_not_stop_is_killed(tiny_model: Path) -> None:
    with serving(tiny_model, DEMUR_WORKERS="2", DEMUR_SHUTDOWN_SECONDS="0") as server:
        _wait_until(lambda: len(_workers(server)) == WORKERS)
        stuck, _ = _workers(server)
        os.kill(stuck, signal.SIGSTOP)
        assert server.stop(signal.SIGTERM) == 0
        assert f"worker {stuck} has not stopped in time, and is killed" in "".join(server.log())
        assert not Path(f"/proc/{stuck}").exists()


def test_feedback_in_a_file_outlives_a_service_of_several_workers(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "feedback"
    settings = {"DEMUR_WORKERS": "2", "DEMUR_FEEDBACK_PATH": str(path), "DEMUR_AUDIT_SHARE": "1"}
    with serving(tiny_model, **settings) as before:
        ids = _predict(before, 20)
        for identity in ids[:10]:
            assert httpx2.post(f"{before.address}/feedback", json={"id": identity, "label": "left"}).status_code == 200
        assert before.stop(signal.SIGTERM) == 0
    with serving(tiny_model, **settings) as after:
        for identity in ids:
            httpx2.post(f"{after.address}/feedback", json={"id": identity, "label": "left"})
        answers = {json.dumps(httpx2.get(f"{after.address}/feedback").json()["policies"]) for _ in range(6)}
    (policies,) = map(json.loads, answers)
    (policy,) = policies
    assert [policy[name] for name in ("answered", "judged", "missing", "waiting")] == [20, 20, 0, 0]


def test_failed_start_is_one_line(tmp_path: Path) -> None:
    environment = command_environment(
        DEMUR_MODEL_PATH=str(tmp_path / "nothing.onnx"), DEMUR_WORKERS="2", DEMUR_PORT=str(free_port())
    )
    result = subprocess.run(
        [sys.executable, "-m", "service"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("demur: cannot read the model")
    assert result.stderr.count("\n") == 1


def test_places_are_claimed_in_turn_up_to_their_number(tmp_path: Path) -> None:
    assert [claim(tmp_path, 2).index for _ in range(2)] == [0, 1]
    with pytest.raises(RuntimeError, match="all 2 slots"):
        claim(tmp_path, 2)


ONE = Scores(np.array([[0.1, 0.8, 0.1]], np.float32), np.array([0.8], np.float32), np.array([1.0], np.float32))


def _response(drift: Drift) -> DriftResponse:
    return drift.state(ModelRef(name="m", version=VERSION), tiny.LABELS)


def test_two_workers_fill_a_window_together(tmp_path: Path) -> None:
    first, second = (Drift(tiny.REFERENCE, 200, "m", claim(tmp_path, 2)) for _ in range(2))
    for _ in range(60):
        first.record(ONE)
    second.record(Scores.joined([ONE] * 39))
    assert [_response(drift).inputs_since for drift in (first, second)] == [99, 99]
    second.record(ONE)
    for inputs in (100, 200):  # each window ends with the counts of the other process
        assert _response(first) == _response(second)
        assert (_response(first).inputs, _response(first).inputs_since) == (inputs, 0)
        assert [b.observed for b in _response(first).labels.bins] == [0, 1, 0]
        first.record(Scores.joined([ONE] * 150))
        second.record(Scores.joined([ONE] * 50))


def test_replacement_worker_continues_the_counts(tmp_path: Path) -> None:
    places = [claim(tmp_path, 2) for _ in range(2)]
    first, second = (Drift(tiny.REFERENCE, 200, "m", place) for place in places)
    first.record(Scores.joined([ONE] * 100))
    second.record(Scores.joined([ONE] * 120))
    del second
    again = Drift(tiny.REFERENCE, 200, "m", places[1])
    again.record(Scores.joined([ONE] * 79))
    assert (_response(again).window_number, _response(again).inputs, _response(again).inputs_since) == (1, 100, 199)
    again.record(ONE)
    assert (_response(first).window_number, _response(first).inputs, _response(first).inputs_since) == (2, 200, 0)


def test_window_stays_open_while_a_row_is_half_written(tmp_path: Path) -> None:
    """A worker that is killed while it counts leaves such a row; its replacement completes it."""
    places = [claim(tmp_path, 2) for _ in range(2)]
    first, second = (Windows(3, 200, "m", place) for place in places)
    second.count(40, np.array([40, 0, 0]))
    second._begun[1] += 1
    first.count(60, np.array([0, 60, 0]))
    assert first.latest()[0] == 0
    again = Windows(3, 200, "m", places[1])
    again.count_one([2])
    assert [part.tolist() if isinstance(part, np.ndarray) else part for part in first.latest()] == [
        1,
        101,
        [40, 60, 1],
        0,
    ]


_COUNT = """
import sys
from pathlib import Path
import numpy as np
from service.monitoring.worker_slot import WorkerSlot
from service.monitoring.drift.windows import Windows
slot = int(sys.argv[2])
windows = Windows(2, 1000, "m", WorkerSlot(Path(sys.argv[1]), slot, 2))
for _ in range(5_000):
    windows.count_one([slot, slot])
    windows.count(2, np.array([2, 2]))
"""


def test_processes_that_count_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each input is in two bins of a window, so the sum of the bins is twice the number of inputs at any time."""
    counting = [
        subprocess.Popen([sys.executable, "-c", _COUNT, str(tmp_path), str(slot)], cwd=ROOT) for slot in range(WORKERS)
    ]
    watching, numbers = Windows(2, 1000, "m", WorkerSlot(tmp_path, 0, WORKERS)), set()
    while any(process.poll() is None for process in counting):
        window = watching.latest()
        assert window.counts.sum() == 2 * window.inputs
        numbers.add(window.number)
    assert [process.returncode for process in counting] == [0] * WORKERS
    assert len(numbers) > 1
    last = watching.latest()
    # Windows of 100, 200, 400, 800, and then of at least 1,000: a window stays open while the other process writes.
    assert 16 <= last.number <= 4 + (30_000 - 1_500) // 1_000
    assert sum(watching._finished) == 30_000


def test_two_stores_of_one_file_count_once(tmp_path: Path) -> None:
    first, second = (Feedback(tiny.manifest(), VERSION, FeedbackStore(tmp_path / "f", 100)) for _ in range(2))
    give = PredictionIds(VERSION).under(ThresholdPolicy(threshold=0.5))
    ids = [give(1)[0] for _ in range(40)]

    def send(feedback: Feedback) -> None:
        for identity in ids:
            feedback.record(identity, "left")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(send, (first, second)))
    (state,) = first.states()
    assert state == second.states()[0]
    assert (state.answered, state.errors) == (40, 0)
