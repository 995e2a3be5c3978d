"""Two hundred jobs killed at random moments, and two at once: the model is always complete, and fits can resume."""

import json
import os
import re
import select
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from service.inference.classifier import Classifier
from tests.server import ROOT

SEEDS = (0, 1)  # jobs alternate between the two, so that every job replaces a file of the other


class Jobs:
    """Jobs that write to one folder, one after the other."""

    def __init__(self, folder: Path, forks: "subprocess.Popen[str]", data: list[str]) -> None:
        self.folder, self.out = folder, folder / "model.onnx"
        self._forks, self._data = forks, data

    @property
    def answers(self) -> IO[str]:
        """One line for each job that has ended."""
        assert self._forks.stdout is not None
        return self._forks.stdout

    def checkpoint(self, seed: int) -> Path:
        return self.folder / f"fit-{seed}.checkpoint"

    def run(self, seed: int, seconds: float = 600, pattern: str | None = None) -> tuple[int, float]:
        """Exit status, and seconds until the end."""
        self.start(seed, seconds, pattern)
        return self.ended()

    def start(self, seed: int, seconds: float = 600, pattern: str | None = None) -> None:
        arguments = ["fit", *self._data, "--epochs", "5", "--seed", str(seed), "--out", str(self.out)]
        arguments += ["--checkpoint", str(self.checkpoint(seed))]
        line = {"arguments": arguments, "seconds": seconds, "pattern": pattern}
        assert self._forks.stdin is not None
        self._forks.stdin.write(json.dumps(line) + "\n")
        self._forks.stdin.flush()

    def ended(self) -> tuple[int, float]:
        """Exit status and seconds of the job that was started first."""
        status, lasted = json.loads(self.answers.readline())
        return status, lasted


@contextmanager
def _forking(folder: Path) -> Iterator[Jobs]:
    """Jobs on the data in `folder`, which write to its folder `models`."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.training.fitting.killed_jobs"],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as forks:
        yield Jobs(folder / "models", forks, ["--data", str(folder / "x.npy"), "--labels", str(folder / "y.npy")])


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 1200)
    np.save(tmp_path / "x.npy", (rng.normal(size=(1200, 8)) + 2 * np.eye(3, 8)[labels]).astype(np.float32))
    np.save(tmp_path / "y.npy", labels)
    (tmp_path / "models").mkdir()
    with _forking(tmp_path) as jobs:
        yield jobs


@pytest.mark.process
def test_ten_kills(jobs: Jobs) -> None:
    _kill(jobs, 10)


@pytest.mark.slow
def test_two_hundred_kills(jobs: Jobs) -> None:
    outcomes = _kill(jobs, 200)
    assert min(outcomes.values()) > 0, outcomes


def _kill(jobs: Jobs, kills: int) -> Counter[str]:
    """Start jobs until so many have been killed; return how often each outcome occurred."""
    undisturbed, lifetimes = [], []
    for seed in SEEDS:
        status, seconds = jobs.run(seed)
        assert status == 0
        undisturbed.append(jobs.out.read_bytes())
        lifetimes.append(seconds)
    assert undisturbed[0] != undisturbed[1]

    rng = np.random.default_rng(os.getpid())
    patterns = [None, None, f"{jobs.folder}/.model.onnx-*.tmp", f"{jobs.folder}/.fit-*.checkpoint-*.tmp"]
    outcomes, killed, number = Counter[str](), 0, 0
    while killed < kills:
        seed, pattern = SEEDS[number % 2], patterns[number // 2 % 4]
        number += 1
        before = jobs.out.read_bytes()
        # Half of the kills come at any moment of a job, half during the short life of its draft.
        seconds = rng.uniform(0, max(lifetimes) if pattern is None else 0.02)
        status, _ = jobs.run(seed, float(seconds), pattern)
        assert status in (0, -9)
        killed += status == -9
        after = jobs.out.read_bytes()
        assert after in (before, undisturbed[seed])  # the old model, or bit for bit that of an undisturbed job
        assert Classifier.load(jobs.out).manifest.training.seed == undisturbed.index(after)
        outcomes["replaced the model" if after != before else "left it as it was"] += status == -9
        outcomes["left a draft"] += status == -9 and bool(_drafts(jobs.folder))
        outcomes["left a checkpoint"] += status == -9 and jobs.checkpoint(seed).exists()
        # A later job removes the draft of a killed one, so drafts do not accumulate.
        assert len(_drafts(jobs.folder)) <= 1 + len(SEEDS)
    print(f"\n{number} jobs, {killed} killed: {dict(outcomes)}")  # noqa: T201  # for docs/evidence/reliability.md
    for seed in SEEDS:
        assert jobs.run(seed)[0] == 0
        assert jobs.out.read_bytes() == undisturbed[seed]
    assert list(jobs.folder.iterdir()) == [jobs.out]
    return outcomes


@pytest.mark.slow
def test_two_jobs_at_once(tmp_path: Path, jobs: Jobs) -> None:
    """Twenty pairs that replace the same file: a reader always gets the complete model of one of them."""
    undisturbed = []
    for seed in SEEDS:
        assert jobs.run(seed)[0] == 0
        undisturbed.append(jobs.out.read_bytes())
    left = Counter[int]()
    with _forking(tmp_path) as others:
        for _ in range(20):
            pair = [jobs, others]
            for seed, one in enumerate(pair):
                one.start(seed)
            while pair:
                assert Classifier.load(jobs.out).manifest.training.seed in SEEDS
                assert jobs.out.read_bytes() in undisturbed
                ready, _, _ = select.select([one.answers for one in pair], [], [], 0)
                for one in [one for one in pair if one.answers in ready]:
                    assert one.ended()[0] == 0
                    pair.remove(one)
            left[undisturbed.index(jobs.out.read_bytes())] += 1
            assert list(jobs.folder.iterdir()) == [jobs.out]
    print(f"\nthe last of the pair was seed 0 in {left[0]}, seed 1 in {left[1]}")  # noqa: T201


def _drafts(folder: Path) -> list[Path]:
    """Everything in the folder except models and checkpoints."""
    return [path for path in folder.iterdir() if not re.fullmatch(r"model\.onnx|fit-\d\.checkpoint", path.name)]
