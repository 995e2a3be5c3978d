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


def test_disk_space_is_taken_at_once(tmp_path: Path) -> None:
    """On a full disk, memory without space would kill the worker that writes to it."""
    Tallies(_places(tmp_path, 1)[0])
    assert (tmp_path / "metrics-0").stat().st_blocks * 512 >= tallies.MAX_NUMBERS * 8


_FULL = """
import resource, sys
from pathlib import Path
from service.contract.errors import FileError
from service.monitoring.metrics.tallies import Tallies
from service.monitoring.worker_slot import WorkerSlot
first, second = (Tallies(WorkerSlot(Path(sys.argv[1]), slot, 2)) for slot in range(2))
for size in (30, 20):  # no file may grow beyond it, as on a full disk; the line of a key has 24 bytes
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    for i in range(2):
        first.numbers[first.begin(("requests", f"{size}-{i}"))] += 1
print(len(first.by_worker()[0]), len(second.by_worker()[0]))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(first.totals() == second.totals(), sorted(first.totals().values()))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    Tallies(WorkerSlot(Path(sys.argv[1]), 2, 3))
except FileError as error:
    print(error)
"""


def test_full_disk_stops_no_count_and_refuses_a_new_file(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _FULL, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seen, afterwards, refused = result.stdout.splitlines()
    assert (seen, afterwards) == ("4 1", "True [[1.0], [1.0], [1.0], [1.0]]")
    assert refused == (
        f"cannot reserve 2,097,152 bytes in {tmp_path}/metrics-2 for the counts that workers share: File too large. "
        "Free that space, name another folder in TMPDIR, or serve with one worker (DEMUR_WORKERS=1)"
    )
