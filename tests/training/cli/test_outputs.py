"""An output that would replace a device or one of the command's own files is refused before any work."""

import os
from pathlib import Path

import pytest

from training.__main__ import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data that cannot be read, by several paths, and a fifo: a command that opened one would fail or wait."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("not a table")
    (tmp_path / "hard.csv").hardlink_to("data.csv")
    (tmp_path / "soft.csv").symlink_to("data.csv")
    for name in ("texts", "rows"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.parquet").write_text("not a table")
    os.mkfifo("fifo")
    (tmp_path / "to-fifo").symlink_to("fifo")
    os.mkfifo(tmp_path / "rows" / "sweep.csv")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("fit --data data.csv --out fifo", "cannot write fifo: it is a fifo; name a regular file, or a new one"),
        ("fit --data data.csv --out to-fifo --if-missing", "cannot write to-fifo: it is a fifo"),
        ("fit --data data.csv --out texts", "cannot write texts: Is a directory"),
        ("fit --data data.csv --out data.csv", "--out data.csv is the same file as --data data.csv, which would be"),
        ("fit --data data.csv --out texts/../data.csv", "--out texts/../data.csv is the same file as --data data.csv"),
        ("fit --data data.csv --out hard.csv", "--out hard.csv is the same file as --data data.csv"),
        ("fit --data soft.csv --out data.csv", "--out data.csv is the same file as --data soft.csv"),
        ("fit --data x.csv --report data.csv --out data.csv", "--out data.csv is the same file as --report data.csv"),
        ("fit --data x.npy --labels data.csv --out data.csv", "--out data.csv is the same file as --labels data.csv"),
        ("fit --cost-matrix data.csv --out data.csv", "--out data.csv is the same file as --cost-matrix data.csv"),
        ("fit --data rows --out rows/one.parquet", "--out rows/one.parquet is a file of --data rows, which would be"),
        ("fit --data data.csv --checkpoint data.csv", "--checkpoint data.csv is the same file as --data data.csv"),
        ("fit --out new --checkpoint texts/../new", "--checkpoint texts/../new is the same file as --out new"),
        ("fit --out new/classes.png --report-dir new", "--report-dir new/classes.png is the same file as --out new/cl"),
        ("fit --report-dir rows --data rows/metrics.json", "--report-dir rows/metrics.json is the same file as --data"),
        ("sweep --data data.csv --out rows", "cannot write rows/sweep.csv: it is a fifo"),
        ("sweep --data new/sweep.csv --out new", "--out new/sweep.csv is the same file as --data new/sweep.csv"),
        ("evaluate new/report.html --report-dir new", "--report-dir new/report.html is the same file as MODEL new/rep"),
        ("next-token --out fifo", "cannot write fifo: it is a fifo"),
        ("next-token --text texts --out texts/one.parquet", "--out texts/one.parquet is a file of --text texts"),
    ],
)
def test_output_that_would_be_lost(
    folder: Path, command: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    assert main(command.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"demur: {expected}")
    assert sorted(folder.rglob("*")) == before
    assert (folder / "data.csv").read_text() == "not a table"


@pytest.mark.parametrize("out", ["rows/model.onnx", "other.csv", "new/model.onnx"])
def test_output_beside_the_data_is_none_of_them(folder: Path, out: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command goes on to its data, which it then cannot read."""
    (folder / "rows" / "model.onnx").write_bytes(b"the one before")
    (folder / "other.csv").write_bytes(b"of no command")
    assert main(["fit", "--data", "rows", "--out", out]) == 1
    assert "rows/one.parquet cannot be read" in capsys.readouterr().err
