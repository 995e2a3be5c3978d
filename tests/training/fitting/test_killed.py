"""A training job killed at any moment leaves the old model untouched or the new one complete."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.inference.classifier import Classifier
from tests.server import ROOT

pytestmark = pytest.mark.slow


def _start(out: Path, data_folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "training", "fit", "--epochs", "1", "--data-dir", str(data_folder)]
    return subprocess.Popen(
        [*command, "--out", str(out)], cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def lifetime(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> float:
    """Seconds that an undisturbed job takes."""
    start = time.monotonic()
    assert _start(tmp_path_factory.mktemp("whole") / "model.onnx", data_folder).wait() == 0
    return time.monotonic() - start


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8, 0.9, 0.95])
def test_job_killed_at_a_random_moment(
    tmp_path: Path, tiny_model: Path, data_folder: Path, lifetime: float, share: float
) -> None:
    out = tmp_path / "model.onnx"
    before = tiny_model.read_bytes()
    out.write_bytes(before)
    job = _start(out, data_folder)
    try:
        job.wait(timeout=lifetime * share)
    except subprocess.TimeoutExpired:
        job.kill()
        job.wait()
    assert out.read_bytes() == before or Classifier.load(out).manifest.name == "fashion-mnist"


def test_job_killed_while_its_draft_exists(tmp_path: Path, tiny_model: Path, data_folder: Path) -> None:
    out = tmp_path / "model.onnx"
    before = tiny_model.read_bytes()
    out.write_bytes(before)
    job = _start(out, data_folder)
    # The draft exists for tens of milliseconds, during the proof.
    while job.poll() is None and len(list(tmp_path.iterdir())) == 1:
        pass
    job.kill()
    job.wait()
    assert out.read_bytes() == before or Classifier.load(out).manifest.name == "fashion-mnist"

    # Leftovers of killed jobs do not stop the next one.
    assert _start(out, data_folder).wait() == 0
    assert Classifier.load(out).manifest.name == "fashion-mnist"
