"""Counters of several workers: each reads those of all, and no sum falls when a worker dies."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from service.monitoring.metrics import tallies
from service.monitoring.metrics.tallies import Tallies
from service.monitoring.worker_slot import ALONE, WorkerSlot
from tests.server import ROOT

A, B = ("requests", "GET"), ("requests", "POST")


def _places(folder: Path, workers: int = 2) -> list[WorkerSlot]:
    return [WorkerSlot(folder, slot, workers) for slot in range(workers)]


def test_key_keeps_its_place_and_begins_with_nothing() -> None:
    worker = Tallies(ALONE)
    first, second = worker.begin(A, 3), worker.begin(B)
    assert (worker.begin(A, 3), worker.begin(B)) == (first, second)
    assert worker.totals() == {A: [0, 0, 0], B: [0]}
    worker.numbers[first + 2] += 1.5
    worker.numbers[second] += 1
    assert worker.totals() == {A: [0, 0, 1.5], B: [1]}


def test_workers_see_the_counts_of_all(tmp_path: Path) -> None:
    first, second = map(Tallies, _places(tmp_path))
    first.numbers[first.begin(A)] += 1
    second.numbers[second.begin(B, 2) + 1] += 5  # another order, and a key that the first lacks
    second.numbers[second.begin(A)] += 10
    assert first.totals() == second.totals() == {A: [11], B: [0, 5]}
    assert first.by_worker() == second.by_worker() == [{A: [1]}, {A: [10], B: [0, 5]}]
    first.numbers[first.begin(B, 2)] += 7  # the others see later counts too
    assert first.totals() == second.totals() == {A: [11], B: [7, 5]}


def test_worker_that_has_not_started_has_counted_nothing(tmp_path: Path) -> None:
    first = Tallies(_places(tmp_path, 3)[0])
    first.numbers[first.begin(A)] += 1
    assert first.by_worker() == [{A: [1]}, {}, {}]


def test_counts_of_a_killed_worker_stay(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from service.monitoring.worker_slot import WorkerSlot;"
        "from service.monitoring.metrics.tallies import Tallies; t = Tallies(WorkerSlot(Path(sys.argv[1]), 1, 2));"
        "t.numbers[t.begin(('requests', 'GET'))] += 3; os.kill(os.getpid(), signal.SIGKILL)"
    )
    first = Tallies(_places(tmp_path)[0])
    for after in (3, 6):
        result = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, check=False)
        assert result.returncode == -9
        assert first.totals() == {A: [after]}
    again = Tallies(_places(tmp_path)[1])
    assert again.totals() == {A: [6]}


def test_half_a_line_of_a_killed_worker_is_removed(tmp_path: Path) -> None:
    first, second = map(Tallies, _places(tmp_path))
    second.numbers[second.begin(A)] += 1
    names = tmp_path / "metrics-1-names"
    complete = names.read_bytes()
    names.write_bytes(complete + b'["requests", "PO')
    assert first.totals() == {A: [1]}
    again = Tallies(_places(tmp_path)[1])
    assert names.read_bytes() == complete
    again.numbers[again.begin(B)] += 2
    assert first.totals() == again.totals() == {A: [1], B: [2]}


def test_threads_get_separate_places_for_new_keys(tmp_path: Path) -> None:
    worker = Tallies(_places(tmp_path, 1)[0])
    places_by_thread: list[list[int]] = [[] for _ in range(8)]

    def ask(thread: int) -> None:
        places_by_thread[thread] = [worker.begin(("k", str(i)), 2) for i in range(200)]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(sorted(places) == list(range(0, 400, 2)) for places in places_by_thread)
    assert all(places == places_by_thread[0] for places in places_by_thread)
    assert len(Tallies(_places(tmp_path, 1)[0]).totals()) == 200


def test_too_many_numbers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MAX_NUMBERS", 4)
    worker = Tallies(ALONE)
    worker.begin(A, 3)
    with pytest.raises(RuntimeError, match="no room for requests/POST: there are already 4 numbers"):
        worker.begin(B, 2)
    assert worker.begin(B) == 3


def test_file_takes_little_disk_space(tmp_path: Path) -> None:
    worker = Tallies(_places(tmp_path, 1)[0])
    worker.numbers[worker.begin(A)] += 1
    assert (tmp_path / "metrics-0").stat().st_blocks * 512 <= 64 * 1024
