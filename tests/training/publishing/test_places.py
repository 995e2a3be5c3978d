"""Unwritable places: a full disk, a read-only one, a limit on file size. The job says so, and old files stay."""

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from service.inference.classifier import Classifier
from training.__main__ import main

SIZE = 64 * 1024  # of the disk; the model takes 15 KB


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options of a fit that takes half a second."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    labels = rng.integers(0, 3, 1200)
    np.save(folder / "x.npy", (rng.normal(size=(1200, 8)) + 2 * np.eye(3, 8)[labels]).astype(np.float32))
    np.save(folder / "y.npy", labels)
    return ["--data", str(folder / "x.npy"), "--labels", str(folder / "y.npy"), "--epochs", "1"]


@pytest.fixture
def disk(tmp_path: Path, data: list[str]) -> Iterator[Path]:
    """A real file system of 64 KiB with a model on it."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here: the limit on the size of a file stands in for the full disk")
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here ({mounted.stderr.strip()}); RLIMIT_FSIZE stands in for it")
    try:
        assert main(["fit", *data, "--out", str(place / "model.onnx")]) == 0
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _fill(disk: Path) -> None:
    with (disk / "other").open("wb", buffering=0) as stream:
        while os.statvfs(disk).f_bavail:
            stream.write(bytes(4096))


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _stops(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a fit that must fail, and return its message."""
    capsys.readouterr()
    assert main(["fit", *arguments]) == 1
    return [line for line in capsys.readouterr().err.splitlines() if not line.startswith("epoch ")][-1]


def test_full_disk(disk: Path, data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out = disk / "model.onnx"
    before = out.read_bytes()
    _fill(disk)
    line = _stops([*data, "--seed", "1", "--out", str(out)], capsys)
    assert line == f"demur: cannot write {out}: No space left on device"
    assert out.read_bytes() == before
    assert sorted(path.name for path in disk.iterdir()) == ["model.onnx", "other"]

    (disk / "other").unlink()
    assert main(["fit", *data, "--seed", "1", "--out", str(out)]) == 0
    assert Classifier.load(out).manifest.training.seed == 1


def test_leftovers_of_a_killed_job_make_room(disk: Path, data: list[str]) -> None:
    """Leftovers fill the disk, and the next job removes them."""
    _fill(disk)
    (disk / "other").rename(disk / ".model.onnx-abcdefgh.tmp")
    assert main(["fit", *data, "--seed", "1", "--out", str(disk / "model.onnx")]) == 0
    assert [path.name for path in disk.iterdir()] == ["model.onnx"]


def test_disk_too_full_for_a_checkpoint(
    disk: Path, tmp_path: Path, data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The fit stops after its first epoch, not at its end."""
    _fill(disk)
    checkpoint, out = disk / "fit.checkpoint", tmp_path / "model.onnx"
    line = _stops([*data, "--checkpoint", str(checkpoint), "--out", str(out)], capsys)
    assert line == f"demur: --checkpoint: cannot write {checkpoint}: No space left on device"
    assert not out.exists()
    assert not checkpoint.exists()


def test_disk_too_full_for_the_report(
    disk: Path, tmp_path: Path, data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    _fill(disk)
    out = tmp_path / "model.onnx"
    line = _stops([*data, "--report-dir", str(disk), "--out", str(out)], capsys)
    version = Classifier.load(out).version
    assert line.startswith(
        f"demur: version {version} is published, but its report could not be written: cannot write {disk}"
    )
    assert line.endswith(": No space left on device")


def test_no_room_for_temporary_files(
    disk: Path, tmp_path: Path, data: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(disk)
    monkeypatch.setattr(tempfile, "tempdir", str(disk))  # as with TMPDIR at the start
    assert main(["fit", *data, "--out", str(tmp_path / "model.onnx")]) == 0


def test_read_only_disk(disk: Path, data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It is reported before the fit."""
    before = (disk / "model.onnx").read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    line = _stops([*data, "--out", str(disk / "model.onnx")], capsys)
    assert line == f"demur: cannot write into {disk}: no permission, or a read-only file system"
    assert (disk / "model.onnx").read_bytes() == before
    assert [path.name for path in disk.iterdir()] == ["model.onnx"]


def test_file_size_limit(tmp_path: Path, data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The write fails within the file, as with a quota. This needs no mount."""
    out = tmp_path / "model.onnx"
    out.write_bytes(b"the one before")
    with _files_of_at_most(4096):
        line = _stops([*data, "--out", str(out)], capsys)
    assert line == f"demur: cannot write {out}: File too large"
    assert out.read_bytes() == b"the one before"
    assert list(tmp_path.iterdir()) == [out]
    assert main(["fit", *data, "--out", str(out)]) == 0
