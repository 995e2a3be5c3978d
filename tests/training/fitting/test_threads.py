"""The number of threads, from the sizes or from OMP_NUM_THREADS; and threads that wait leave their cores to others."""

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from service.contract.cores import available_cores
from tests.server import ROOT
from training.fitting import threads
from training.fitting.examples import Examples
from training.fitting.fit import fit
from training.fitting.recipes import CHAPTER
from training.fitting.sweep.together import fit_together

COMMAND = [sys.executable, "-m", "training"]
FREE = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}


@pytest.fixture
def four_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let torch use up to four threads, as if there were four cores."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize(
    ("sizes", "number"), [((256, 784, 10), 1), ((0, 784, 10), 1), ((1024, 784, 6), 2), ((256, 784, 1000), 4)]
)
def test_a_thread_for_two_million_multiplications(sizes: tuple[int, int, int], number: int) -> None:
    with threads.for_product(*sizes):
        assert torch.get_num_threads() == number
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_threads")
def test_number_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    threads.use_available_cores()
    with threads.for_product(1, 1, 1):
        assert torch.get_num_threads() == 4
    monkeypatch.delenv("OMP_NUM_THREADS")
    threads.use_available_cores()
    assert torch.get_num_threads() == available_cores()


@pytest.mark.usefixtures("four_threads")
def test_fits_use_the_number_for_their_sizes() -> None:
    settings = dataclasses.replace(CHAPTER, epochs=1, batch_size=1024)
    examples = Examples(torch.rand(1024, 784), torch.arange(1024) % 3)
    used = []
    fit(examples, examples, 3, settings, torch.Generator(), lambda _: used.append(torch.get_num_threads()))
    runs = [settings, settings]
    fit_together(examples, examples, 3, runs, torch.Generator(), lambda _: used.append(torch.get_num_threads()))
    assert used == [1, 2]


@pytest.mark.process
@pytest.mark.parametrize(
    ("set_by_user", "spins"),
    [({}, 0), ({"OMP_WAIT_POLICY": "active"}, 30_000_000_000), ({"GOMP_SPINCOUNT": "1000"}, 1000)],
)
def test_waiting_threads_sleep_unless_the_user_says_otherwise(
    tmp_path: Path, set_by_user: dict[str, str], spins: int
) -> None:
    """GNU's OpenMP itself tells what it read when torch was loaded."""
    command = [*COMMAND, "fit", "--data", str(tmp_path / "none.csv"), "--out", str(tmp_path / "model.onnx")]
    environment = FREE | {"OMP_DISPLAY_ENV": "verbose"} | set_by_user
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert "none.csv" in run.stderr.splitlines()[-1]
    assert set(re.findall(r"GOMP_SPINCOUNT = '(\d+)'", run.stderr)) == {str(spins)}


@pytest.mark.slow
@pytest.mark.skipif(available_cores() == 1, reason="with one core there is one thread")
def test_busy_cores_slow_several_threads_no_more_than_one(tmp_path: Path) -> None:
    """Threads that spin take ten times as long. One turn of three is enough, since tests run beside others."""
    generator = np.random.default_rng(0)
    features = generator.random((8000, 784), dtype=np.float32)
    np.save(tmp_path / "features.npy", features)
    np.save(tmp_path / "labels.npy", features[:, :10].argmax(axis=1))

    def seconds(environment: dict[str, str]) -> float:
        data = ["--data", str(tmp_path / "features.npy"), "--labels", str(tmp_path / "labels.npy")]
        settings = ["--device", "cpu", "--epochs", "20", "--batch-size", "1024", "--out", str(tmp_path / "model.onnx")]
        command = [*COMMAND, "fit", *data, *settings]
        printed = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout
        return float(re.findall(r"20 epochs in ([0-9.]+) s", printed)[0])

    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(available_cores())]
    try:
        assert any(seconds(FREE) < 3 * seconds(FREE | {"OMP_NUM_THREADS": "1"}) for _ in range(3))
    finally:
        for process in busy:
            process.kill()
            process.wait()
