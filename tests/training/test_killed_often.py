"""Two hundred jobs killed at random moments: always a whole model, and a fit that goes on from its checkpoint."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from service.classifier import Classifier
from tests.server import ROOT

pytestmark = pytest.mark.slow

KILLS = 200
SEEDS = (0, 1)  # jobs of either take turns, so that every job is to replace a file that is not its own


class Jobs:
    """Jobs that write to one folder, one after the other."""

    def __init__(self, folder: Path, forks: "subprocess.Popen[str]", data: list[str]) -> None:
        self.folder, self.out = folder, folder / "model.onnx"
        self._forks, self._data = forks, data

    def checkpoint(self, seed: int) -> Path:
        return self.folder / f"fit-{seed}.checkpoint"

    def run(self, seed: int, seconds: float = 600, pattern: str | None = None) -> tuple[int, float]:
        """Exit status, and seconds until the end."""
        arguments = ["fit", *self._data, "--epochs", "5", "--seed", str(seed), "--out", str(self.out)]
        arguments += ["--checkpoint", str(self.checkpoint(seed))]
        line = {"arguments": arguments, "seconds": seconds, "pattern": pattern}
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        self._forks.stdin.write(json.dumps(line) + "\n")
        self._forks.stdin.flush()
        status, lasted = json.loads(self._forks.stdout.readline())
        return status, lasted


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 1200)
    np.save(tmp_path / "x.npy", (rng.normal(size=(1200, 8)) + 2 * np.eye(3, 8)[labels]).astype(np.float32))
    np.save(tmp_path / "y.npy", labels)
    folder = tmp_path / "models"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.training.killed_jobs"],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as forks:
        yield Jobs(folder, forks, ["--data", str(tmp_path / "x.npy"), "--labels", str(tmp_path / "y.npy")])


def test_two_hundred_kills(jobs: Jobs) -> None:
    whole, lifetimes = [], []
    for seed in SEEDS:
        status, seconds = jobs.run(seed)
        assert status == 0
        whole.append(jobs.out.read_bytes())
        lifetimes.append(seconds)
    assert whole[0] != whole[1]

    rng = np.random.default_rng(os.getpid())
    patterns = [None, None, f"{jobs.folder}/.model.onnx-*.tmp", f"{jobs.folder}/.fit-*.checkpoint-*.tmp"]
    found, killed, number = Counter[str](), 0, 0
    while killed < KILLS:
        seed, pattern = SEEDS[number % 2], patterns[number // 2 % 4]
        number += 1
        before = jobs.out.read_bytes()
        # Half of the moments are anywhere in a job's life, half in the short time that a draft of it is there.
        seconds = rng.uniform(0, max(lifetimes) if pattern is None else 0.02)
        status, _ = jobs.run(seed, float(seconds), pattern)
        assert status in (0, -9)
        killed += status == -9
        after = jobs.out.read_bytes()
        assert after in (before, whole[seed])  # as it was, or the one that an undisturbed job publishes, bit for bit
        assert Classifier.load(jobs.out).manifest.training.seed == whole.index(after)
        found["replaced the model" if after != before else "left it as it was"] += status == -9
        found["left a draft"] += status == -9 and bool(_drafts(jobs.folder))
        found["left a checkpoint"] += status == -9 and jobs.checkpoint(seed).exists()
        # A killed job's draft goes with the next that comes so far: they do not add up.
        assert len(_drafts(jobs.folder)) <= 1 + len(SEEDS)
    print(f"\n{number} jobs, {killed} killed: {dict(found)}")  # noqa: T201  # for docs/reliability.md
    assert min(found.values()) > 0, found

    for seed in SEEDS:
        assert jobs.run(seed)[0] == 0
        assert jobs.out.read_bytes() == whole[seed]
    assert list(jobs.folder.iterdir()) == [jobs.out]


def _drafts(folder: Path) -> list[Path]:
    """All else that is in the folder than models and checkpoints."""
    return [path for path in folder.iterdir() if not re.fullmatch(r"model\.onnx|fit-\d\.checkpoint", path.name)]
