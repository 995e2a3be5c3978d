"""`python -m training describe`, and `fit` and `evaluate` on the same data, as a user types them."""

import shlex
from pathlib import Path

import pytest

from service.classifier import Classifier
from tests.training.data.made import columns, folders, with_copies, write
from training.__main__ import main


def test_described_table_is_trained_by_the_command_that_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "patients.csv", columns(400))
    assert main(["describe", str(path), "--group-column", "patient", "--ignore-columns", "visit"]) == 0
    said = capsys.readouterr().out
    for line in (
        "examples  400 rows",
        "      320  healthy",
        "  sex: 2 categories (f, m)",
        "  train 200, tune 40, calibration 100, report 60 of the 400 rows of patients.csv, drawn by patient",
        "  selective_risk 0.05 can be, from 59 of 100 answered without an error",
        "  selective_risk 0.01 cannot be certified: the calibration split has 100 examples, and 299 answered without "
        "an error are the fewest that do; that takes about 1,196 labelled examples at these shares",
        "  false_alarm_rate 0.0722, not 0.01, with 40 examples in tune",
        "problems\n  none found",
    ):
        assert line in said
    command = said.splitlines()[-1].strip()
    assert command == f"python -m training fit --data {path} --ignore-columns visit --group-column patient"
    out = tmp_path / "model.onnx"
    words = shlex.split(command)[3:]
    assert main([*words, "--epochs", "2", "--out", str(out)]) == 0
    warnings = capsys.readouterr().err
    assert "warning: selective_risk 0.01 cannot be certified: the calibration split has 100 examples" in warnings
    manifest = Classifier.load(out).manifest
    assert manifest.name == "patients"
    assert manifest.labels == ["healthy", "ill"]
    assert "drawn by patient" in manifest.data.splits["calibration"].source
    evaluating = ["--data", str(path), "--ignore-columns", "visit"]
    assert main(["evaluate", str(out), *evaluating, "--group-column", "patient"]) == 0
    assert main(["evaluate", str(out), *evaluating, "patient"]) == 1


def _repeating(folder: Path) -> Path:
    """A table of 400 rows, the first 40 of them once more at its end."""
    return write(folder / "t.csv", with_copies(400, 40))


def test_copies_are_left_out_by_every_command_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = _repeating(tmp_path), tmp_path / "model.onnx"
    asked = ["--ignore-columns", "patient", "visit", "--copies", "one"]
    assert main(["describe", str(path), *asked]) == 0
    said = capsys.readouterr().out
    for line in (
        "examples  440 rows",
        "copies    40 of 440 rows left out",
        "      320  healthy",
        "  train 200, tune 40, calibration 100, report 60 of the 400 distinct rows of t.csv (40 copies left out)",
        "  warning: 40 rows repeat another and are left out (--copies one): the first of the data is kept",
    ):
        assert line in said
    command = said.splitlines()[-1].strip()
    assert command.endswith("--ignore-columns patient visit --copies one")
    assert main([*shlex.split(command)[3:], "--epochs", "2", "--out", str(out)]) == 0
    assert Classifier.load(out).manifest.data.splits["report"].size == 60
    capsys.readouterr()
    assert main(["evaluate", str(out), "--data", str(path), *asked]) == 0
    assert "report   60 of the 400 distinct rows of t.csv (40 copies left out)" in capsys.readouterr().out
    assert main(["evaluate", str(out), "--data", str(path), *asked[:-1], "free"]) == 1
    assert "other splits than the model was made with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("copies", "line"),
    [
        ([], "copies    40 of 440 rows repeat another, and count as examples of their own"),
        (["--copies", "together"], "copies    40 of 440 rows repeat another, and stay in its split"),
    ],
)
def test_what_becomes_of_copies_is_described(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], copies: list[str], line: str
) -> None:
    assert main(["describe", str(_repeating(tmp_path)), "--ignore-columns", "patient", "visit", *copies]) == 0
    assert line in capsys.readouterr().out.splitlines()


def test_all_problems_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = columns() | {"pressure": [None, *range(199)], "label": ["ill"] * 195 + ["rare"] * 5}
    path = write(tmp_path / "t.parquet", values)
    assert main(["describe", str(path), "--ignore-columns", "patient"]) == 1
    said = capsys.readouterr()
    assert "error: column 'visit' is of type date32[day]" in said.out
    assert "error: column 'pressure' has 1 missing values" in said.out
    assert "error: too few examples of a class: 'rare' has 5" in said.out
    assert said.err == f"training: {path}: 3 of these problems forbid a fit\n"
    assert main(["fit", "--data", str(path), "--ignore-columns", "patient", "--out", str(tmp_path / "m.onnx")]) == 1
    assert "(2 more: `python -m training describe` lists them)" in capsys.readouterr().err


def test_described_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", str(folders(tmp_path / "pets")), "--image-size", "8", "8"]) == 0
    said = capsys.readouterr().out
    assert "input     images, 8x8, grey" in said
    assert "pictures  shrunk or enlarged to fit 8x8 and centred on black" in said
    assert f"fit --data {tmp_path / 'pets'} --image-size 8 8\n" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "--label-column", "x"], "--label-column is about data of your own: name them by --data"),
        (["fit", "--copies", "one"], "--copies is about data of your own: name them by --data"),
        (["fit", "--data", "nowhere.csv"], "--data nowhere.csv is not there"),
        (
            ["describe", "x.csv", "--split-shares", "0.5", "0.5", "0.5", "0.5"],
            "--split-shares add up to 2: they must add up to 1",
        ),
    ],
)
def test_what_cannot_be_asked_is_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1
    assert capsys.readouterr().err == f"training: {message}\n"
