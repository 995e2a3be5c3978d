"""`demur describe`, and `fit` and `evaluate` on the same data, from a user's command line."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from service.inference.classifier import Classifier
from tests.training.data.made import columns, folders, with_copies, write
from training.__main__ import main


def test_printed_command_trains_the_described_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "patients.csv", columns(400))
    assert main(["describe", str(path), "--group-column", "patient", "--ignore-columns", "visit"]) == 0
    output = capsys.readouterr().out
    for line in (
        "examples  400 rows",
        "      320  healthy",
        "  sex: 2 categories (f, m)",
        "  train 200, tune 40, calibration 100, report 60 of the 400 rows of patients.csv, drawn by patient",
        "  selective_risk 0.01 cannot be certified: the calibration split counts as 25 independent examples (100 "
        "divided by 4, the size of the largest group in train), and it takes at least 299 that are answered without an "
        "error; with these split shares that is about 4,784 labelled examples in all",
        "  false_alarm_rate 0.311, not 0.01: the lowest with 40 examples in tune, in 10 groups",
        "problems\n  none found",
    ):
        assert line in output
    command = output.splitlines()[-1].strip()
    assert command == (
        f"demur fit --data {path} --ignore-columns visit --group-column patient --out build/patients.onnx"
    )
    out = tmp_path / "model.onnx"
    words = shlex.split(command)[1:]
    assert main([*words, "--epochs", "2", "--out", str(out)]) == 0
    warnings = capsys.readouterr().err
    assert "warning: selective_risk 0.01 cannot be certified: the calibration split counts as 25 " in warnings
    manifest = Classifier.load(out).manifest
    assert manifest.name == "patients"
    assert manifest.labels == ["healthy", "ill"]
    assert "drawn by patient" in manifest.data.splits["calibration"].source
    assert manifest.abstention is not None
    certificates = [*manifest.abstention.selective_risk, *manifest.abstention.reject_cost]
    assert {(certificate.unit, certificate.largest_group) for certificate in certificates} == {("group", 4)}
    evaluating = ["--data", str(path), "--ignore-columns", "visit"]
    assert main(["evaluate", str(out), *evaluating, "--group-column", "patient"]) == 0
    assert main(["evaluate", str(out), *evaluating, "patient"]) == 1


def _repeating(folder: Path) -> Path:
    """A table of 400 rows, the first 40 of them repeated at its end."""
    return write(folder / "t.csv", with_copies(400, 40))


def test_every_command_leaves_out_the_same_copies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = _repeating(tmp_path), tmp_path / "model.onnx"
    options = ["--ignore-columns", "patient", "visit", "--copies", "one"]
    assert main(["describe", str(path), *options]) == 0
    output = capsys.readouterr().out
    for line in (
        "examples  440 rows",
        "copies    40 of 440 rows left out",
        "      320  healthy",
        "  train 200, tune 40, calibration 100, report 60 of the 400 distinct rows of t.csv (40 copies left out)",
        "  warning: 40 rows repeat another and are left out (--copies one): the first in the data is kept",
    ):
        assert line in output
    command = output.splitlines()[-1].strip()
    assert command.endswith("--ignore-columns patient visit --copies one --out build/t.onnx")
    assert main([*shlex.split(command)[1:], "--epochs", "2", "--out", str(out)]) == 0
    assert Classifier.load(out).manifest.data.splits["report"].size == 60
    capsys.readouterr()
    assert main(["evaluate", str(out), "--data", str(path), *options]) == 0
    assert "report   60 of the 400 distinct rows of t.csv (40 copies left out)" in capsys.readouterr().out
    assert main(["evaluate", str(out), "--data", str(path), *options[:-1], "free"]) == 1
    assert "other splits than in the model's training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("copies", "line"),
    [
        ([], "copies    40 of 440 rows repeat another, and count as examples of their own"),
        (["--copies", "together"], "copies    40 of 440 rows repeat another, and stay in its split"),
    ],
)
def test_treatment_of_copies_is_described(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], copies: list[str], line: str
) -> None:
    assert main(["describe", str(_repeating(tmp_path)), "--ignore-columns", "patient", "visit", *copies]) == 0
    assert line in capsys.readouterr().out.splitlines()


def test_all_problems_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = columns() | {"pressure": [None, *range(199)], "label": ["ill"] * 195 + ["rare"] * 5}
    path = write(tmp_path / "t.parquet", values)
    assert main(["describe", str(path), "--ignore-columns", "patient"]) == 1
    captured = capsys.readouterr()
    assert "error: column 'visit' is of type date32[day]" in captured.out
    assert "error: 1 of 200 rows lack a value, the first is row 1: column 'pressure' has 1; give" in captured.out
    assert "warning: few examples of a class: 'rare' has 5" in captured.out
    assert captured.err == f"demur: {path}: 2 of these problems forbid a fit\n"
    assert main(["fit", "--data", str(path), "--ignore-columns", "patient", "--out", str(tmp_path / "m.onnx")]) == 1
    assert "(1 more: `demur describe` lists them)" in capsys.readouterr().err


def test_described_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", str(folders(tmp_path / "pets")), "--image-size", "8", "8"]) == 0
    output = capsys.readouterr().out
    assert "input     images, 8x8, grey" in output
    assert "pictures  shrunk or enlarged to fit 8x8 and centred on black" in output
    assert f"fit --data {tmp_path / 'pets'} --image-size 8 8 --out build/pets.onnx\n" in output


def _clouds(path: Path, seed: int = 0, flipped: tuple[str, ...] = ()) -> Path:
    """2,000 points of two overlapping classes, in given splits; the splits in `flipped` have every label swapped."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 2000)
    split = np.repeat(["train", "tune", "calibration", "report"], [800, 400, 500, 300])
    named = np.where(np.isin(split, flipped), 1 - labels, labels)
    x = rng.normal(size=(2000, 2)) + 2 * labels[:, None]
    return write(path, {"x": x[:, 0], "y": x[:, 1], "split": split.tolist(), "label": np.array(["a", "b"])[named]})


def _planned(capsys: pytest.CaptureFixture[str], path: Path, *words: str) -> list[str]:
    """The lines under "what to expect", without their indent."""
    assert main(["describe", str(path), "--plan", *words]) == 0
    _, _, after = capsys.readouterr().out.partition("\nwhat to expect\n")
    return [line.strip() for line in after.partition("\n\nto train\n")[0].splitlines()]


def test_plan_is_a_table_by_risk_and_number_of_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _clouds(tmp_path / "clouds.csv")
    lines = _planned(capsys, path, "--split-column", "split")
    assert lines[0].split() == ["selective_risk", "200", "500*", "1,000", "2,000", "5,000", "10,000"]
    table = {line.split()[0]: line.split()[1:] for line in lines[1:6]}
    assert list(table) == ["0.01", "0.02", "0.03", "0.05", "0.1"]
    assert table["0.01"] == ["-", "?", "?", "?", "?", "?"]  # 299 to certify it, and half of tune are 200
    shares = [int(cell) for cell in table["0.05"]]
    assert 0 < shares[0] < shares[2] < 100
    assert "coverage in per cent, by the number of calibration examples; * is the current number" in lines
    assert "-: too few to certify the risk, however good the model" in lines
    assert "?: tune is too small to estimate it" in lines
    assert lines[-2].startswith(
        "This is an estimate from the 400 tune examples, for a model of the current train split"
    )
    assert lines[-1].startswith("For selective_risk 0.05, ")
    assert "labelled examples in all (2,000 now)" in lines[-1]
    assert [child.name for child in tmp_path.iterdir()] == ["clouds.csv"]  # nothing is published


def test_plan_uses_neither_calibration_nor_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--split-column", "split", "--selective-risk", "0.1"]
    expected = _planned(capsys, _clouds(tmp_path / "t.csv"), *words)
    spoilt = _clouds(tmp_path / "t.csv", flipped=("calibration", "report"))
    assert _planned(capsys, spoilt, *words) == expected
    assert _planned(capsys, _clouds(tmp_path / "t.csv", flipped=("tune",)), *words) != expected


def test_plan_and_prospects_cover_the_requested_risks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _clouds(tmp_path / "clouds.csv")
    words = ["--selective-risk", "0.1", "0.05", "--familywise", "--false-alarm-rate", "0.02"]
    assert main(["describe", str(path), "--split-column", "split", *words]) == 0
    output = capsys.readouterr().out
    assert "selective_risk 0.05 can be certified: it takes at least 72 of 500" in output  # at the level 0.975
    assert "selective_risk 0.01" not in output
    assert "false_alarm_rate 0.02 can be" in output
    command = output.splitlines()[-1].strip()
    assert command.endswith(
        " --split-column split --selective-risk 0.1 0.05 --familywise --false-alarm-rate 0.02 --out build/clouds.onnx"
    )
    assert "what to expect" not in output
    lines = _planned(capsys, path, "--split-column", "split", *words)
    assert [line.split()[0] for line in lines[1:3]] == ["0.05", "0.1"]
    assert lines[3] == ""


def test_tune_split_too_small_for_a_plan_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "patients.csv", columns(400))
    assert _planned(capsys, path, "--ignore-columns", "visit", "patient") == [
        "cannot be estimated: tune has 40 examples, and it takes at least 100 that are independent of one another"
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "--label-column", "x"], "--label-column is for data of your own: name them with --data"),
        (["fit", "--copies", "one"], "--copies is for data of your own: name them with --data"),
        (
            ["describe", "x.csv", "--default-risk", "0.2"],
            "--default-risk 0.2 is not one of --selective-risk 0.01, 0.02, 0.03, 0.05, 0.1",
        ),
        (["fit", "--data", "nowhere.csv"], "--data nowhere.csv does not exist"),
        (
            ["describe", "x.csv", "--split-shares", "0.5", "0.5", "0.5", "0.5"],
            "--split-shares add up to 2: they must add up to 1",
        ),
    ],
)
def test_invalid_request_is_rejected_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    assert capsys.readouterr().err == f"demur: {message}\n"
