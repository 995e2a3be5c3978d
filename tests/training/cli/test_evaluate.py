"""`demur evaluate` from a user's command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from service.inference.classifier import Classifier
from tests import tiny
from tests.server import ROOT
from training.__main__ import main

pytestmark = pytest.mark.process

Output = pytest.CaptureFixture[str]


def _refused(output: Output, *arguments: str) -> str:
    """Run a command that must fail, and return its one line of output."""
    assert main(["evaluate", *arguments]) == 1
    captured = output.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("demur: ")
    return line


def _evaluate(model: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "error", "-m", "training", "evaluate", str(model), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_evaluate_prints_the_results_and_writes_a_report(
    trained_model: Path, data_folder: Path, tmp_path: Path
) -> None:
    done = _evaluate(trained_model, "--data-dir", str(data_folder), "--report-dir", str(tmp_path / "new"))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    summary, table, *warnings = done.stdout.split("\n\n")
    first_words = [line.split()[0] for line in summary.splitlines()]
    assert first_words == ["model", "report", "quality", "ranking", "worst", "gate", *["sets"] * 9]
    assert "worst class  Of the answered inputs of class Shirt, " in summary
    assert "selective_risk 0.05 (default)" in table
    assert all(warning.startswith("warning: ") for warning in warnings)

    version = Classifier.load(trained_model).version
    assert version in summary
    assert version in (tmp_path / "new" / "report.html").read_text()
    assert json.loads((tmp_path / "new" / "evaluation.json").read_text())["model"]["version"] == version
    assert (tmp_path / "new" / "risk-coverage.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_folder_nothing_is_written(
    trained_model: Path,
    data_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", str(trained_model), "--data-dir", str(data_folder)]) == 0
    assert "never_abstain" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_chapters_model_carries_no_certificates(
    tmp_path: Path, data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.onnx"
    fit = ["fit", "--recipe", "chapter", "--epochs", "1", "--data-dir", str(data_folder), "--out", str(out)]
    assert main(fit) == 0
    warning = "warning: This model has no certificates, because it has no calibration split."
    assert warning in capsys.readouterr().out
    assert main(["evaluate", str(out), "--data-dir", str(data_folder), "--report-dir", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert warning in printed
    assert "10000 of the official test images, not held out" in printed
    assert "gate" not in printed
    assert "Nothing is promised." in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("content", [None, b"nonsense"], ids=["missing", "not a model"])
def test_file_that_is_no_model_is_reported_in_one_line(tmp_path: Path, content: bytes | None, capsys: Output) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    assert str(path) in _refused(capsys, str(path))


def test_model_of_other_data_is_reported_in_one_line(tmp_path: Path, data_folder: Path, capsys: Output) -> None:
    report = tmp_path / "report"
    line = _refused(capsys, str(tiny.write(tmp_path)), "--data-dir", str(data_folder), "--report-dir", str(report))
    assert "the model was trained on the data tiny of fingerprint 000000000000, and these" in line
    assert list(report.iterdir()) == []


def test_missing_data_are_reported_in_one_line(tmp_path: Path, tiny_model: Path, capsys: Output) -> None:
    line = _refused(capsys, str(tiny_model), "--data-dir", str(tmp_path))
    assert "train-images-idx3-ubyte.gz is missing. Get the data by" in line


def test_folder_that_cannot_be_made_is_reported_before_the_work(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert main(["evaluate", str(tiny_model), "--report-dir", str(tmp_path / "file" / "report")]) == 1
    assert capsys.readouterr().err.startswith("demur: cannot make the folder ")
