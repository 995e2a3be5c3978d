"""Swaps of the model under load: no request fails, and no answer mixes two versions."""

import itertools
import signal
import time
from pathlib import Path

import httpx2
import pytest

from tests import tiny, versions
from tests.server import Server, notes_hangup, serving, workers_of
from tests.service.http.routes.swapping import WAYS, Swapping
from tests.service.monitoring.metrics.scraped import read

GOOD = 8  # versions, which take turns
BAD = [make for make, _ in versions.BAD.values()]


def _reloads(server: Server, outcome: str) -> float:
    scraped = read(httpx2.get(f"{server.address}/metrics", timeout=60).text)
    return scraped.value("demur_model_reloads_total", model="tiny", outcome=outcome)


def _wait_until(server: Server, outcome: str, count: int) -> None:
    deadline = time.monotonic() + 60
    while _reloads(server, outcome) < count:
        assert time.monotonic() < deadline, f"fewer than {count} files were {outcome}"
        time.sleep(0.01)


def _wait_until_all_serve(server: Server, workers: int) -> None:
    """A worker that starts later loads the file that the other serves by then, and has nothing to swap."""
    deadline = time.monotonic() + 60
    while len([pid for pid in _serving_processes(server, workers) if notes_hangup(pid)]) < workers:
        assert time.monotonic() < deadline, "not all workers have started"
        time.sleep(0.02)


def _resident(pid: int) -> int:
    """Resident memory in bytes."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def _serving_processes(server: Server, workers: int) -> list[int]:
    return [server.process.pid] if workers == 1 else workers_of(server)


def _swap(path: Path, workers: int, swaps: int) -> tuple[Swapping, list[int]]:
    """Publish `swaps` files, every third a bad one.

    Returns the clients' results, and how many bytes each process has grown since a fifth of the swaps.
    """
    files = [versions.good(number) for number in range(GOOD)]
    published = {versions.version_of(file): versions.probabilities(file, tiny.IMAGES) for file in files}
    good_numbers, bad_files = itertools.cycle([*range(1, GOOD), 0]), itertools.cycle(make() for make in BAD)
    versions.publish(files[0], path)
    settings = {"DEMUR_WORKERS": str(workers), "DEMUR_RELOAD_SECONDS": "0", "DEMUR_LOG_LEVEL": "warning"}
    with serving(path, **settings) as server:
        _wait_until_all_serve(server, workers)
        swapping = Swapping(server, published)
        swapping.start()
        before: list[int] = []
        counts = {"swapped": 0, "refused": 0}
        for turn in range(swaps):
            outcome = "refused" if turn % 3 == 2 else "swapped"
            versions.publish(next(bad_files) if outcome == "refused" else files[next(good_numbers)], path)
            server.process.send_signal(signal.SIGHUP)
            counts[outcome] += workers
            _wait_until(server, outcome, counts[outcome])
            if turn == swaps // 5:
                before = [_resident(pid) for pid in _serving_processes(server, workers)]
        swapping.stop()
        after = [_resident(pid) for pid in _serving_processes(server, workers)]
        assert server.stop(signal.SIGTERM) == 0
        swapping.failures.extend(line for line in server.log() if "Traceback" in line)
    return swapping, [later - earlier for earlier, later in zip(before, after, strict=True)]


def _check(swapping: Swapping) -> None:
    assert swapping.failures == []
    for way in WAYS:
        assert {version for used, version in swapping.answered if used == way} <= swapping.published.keys()
    assert {version for _, version in swapping.answered} == swapping.published.keys()
    assert {way for way, _ in swapping.answered} == WAYS.keys()


def test_a_few_swaps_under_load(tmp_path: Path) -> None:
    swapping, _ = _swap(tmp_path / "model.onnx", 1, GOOD + 4)
    _check(swapping)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_two_hundred_swaps_under_load(tmp_path: Path, workers: int) -> None:
    swapping, grown = _swap(tmp_path / "model.onnx", workers, 200)
    print(f"{workers} workers: {sum(swapping.answered.values())} answers, {len(swapping.failures)} failures")  # noqa: T201
    for way, seconds in swapping.slowest.items():
        answers = sum(count for (used, _), count in swapping.answered.items() if used == way)
        print(f"  {way}: {answers} answers, the slowest {seconds * 1000:.0f} ms")  # noqa: T201
    print(f"  resident memory since the 40th: {', '.join(f'{by / 1e6:+.1f} MB' for by in grown)}")  # noqa: T201
    _check(swapping)
    assert max(grown) < 24e6  # 160 sessions that were not freed would be twice as much
