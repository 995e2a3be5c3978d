"""`demur sweep` from a user's command line, and the `fit` command that it prints."""

import csv
import html
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from training.__main__ import main

CENTRES = {"left": (-2.0, 0.0), "right": (2.0, 0.0), "above": (0.0, 3.0)}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,500 rows of two numbers around three centres, and the name of the centre."""
    random = np.random.default_rng(0)
    names = random.choice(list(CENTRES), 1500)
    rows = [(*(np.array(CENTRES[name]) + random.normal(0, 1.5, 2)).round(4), name) for name in names]
    path = tmp_path_factory.mktemp("data") / "points.csv"
    path.write_text("x,y,place\n" + "".join(f"{x},{y},{name}\n" for x, y, name in rows))
    return path


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_fit_command_of_the_best_run_gives_the_same_tune_loss(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(table), "--label-column", "place"]
    options = [
        "--learning-rate",
        "1e-3:1:4",
        "--momentum",
        "0,0.9",
        "--schedule",
        "constant",
        "--epochs",
        "5",
        "--seeds",
        "2",
        "--seed",
        "3",
    ]
    assert main(["sweep", *data, *options, "--out", str(tmp_path / "sweep")]) == 0
    captured = capsys.readouterr()
    assert all(line.startswith(("seed ", "1,500 ")) for line in captured.err.splitlines())
    rows = _rows(tmp_path / "sweep")
    assert len(rows) == 4 * 2 * 2
    assert {row["seed"] for row in rows} == {"3", "4"}
    assert (tmp_path / "sweep" / "sweep.png").read_bytes().startswith(b"\x89PNG")

    page = html.unescape((tmp_path / "sweep" / "sweep.html").read_text(encoding="utf-8"))
    assert f"<code>{captured.out.splitlines()[-1].strip()}</code>" in page
    assert page.count("<tr>") == 1 + 4 * 2  # every setting, not only the best five
    assert "data:image/png;base64," in page
    command = shlex.split(captured.out.splitlines()[-1])
    assert command[:2] == ["demur", "fit"]
    files = ["--out", str(tmp_path / "model.onnx"), "--report-dir", str(tmp_path / "report")]
    assert main([*command[1:], *files]) == 0
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    settings = metrics["training"]
    (row,) = (
        row
        for row in rows
        if (float(row["learning_rate"]), float(row["momentum"]), row["seed"])
        == (settings["learning_rate"], settings["momentum"], "3")
    )
    kept = metrics["history"][settings["best_epoch"] - 1]
    assert int(row["epoch"]) == settings["best_epoch"]
    assert kept["tune"]["loss"] == pytest.approx(float(row["tune_loss"]), abs=1e-5)
    means = {
        key: np.mean([float(r["tune_loss"]) for r in rows if (r["learning_rate"], r["momentum"]) == key])
        for key in {(r["learning_rate"], r["momentum"]) for r in rows}
    }
    assert min(means, key=lambda key: means[key]) == (row["learning_rate"], row["momentum"])


def test_run_that_diverges_only_marks_its_row(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(table), "--label-column", "place"]
    options = ["--learning-rate", "0.1,1e38", "--epochs", "2", "--out", str(tmp_path)]
    assert main(["sweep", *data, *options]) == 0
    sound, diverged = _rows(tmp_path)
    assert (sound["diverged"], diverged["diverged"], diverged["tune_loss"]) == ("false", "true", "")
    out = capsys.readouterr().out
    assert "1 of 1" in out
    assert "--learning-rate" not in out.splitlines()[-1]  # 0.1 is the default of `fit`
    assert main(["sweep", *data, "--learning-rate", "1e37,1e38", "--epochs", "2", "--out", str(tmp_path)]) == 1
    assert "demur: every run diverged: try a lower --learning-rate." in capsys.readouterr().err
    assert [row["diverged"] for row in _rows(tmp_path)] == ["true", "true"]
    assert "<li>every run diverged: try a lower --learning-rate</li>" in (tmp_path / "sweep.html").read_text()


def test_best_at_the_end_of_a_range_is_reported(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(table), "--label-column", "place"]
    assert main(["sweep", *data, "--learning-rate", "1e-5,1e-4", "--epochs", "1", "--out", str(tmp_path)]) == 0
    assert "warning: the best learning_rate, 0.0001, is the largest that was tried" in capsys.readouterr().out


def test_images_without_a_range_are_one_run_of_the_recipe(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["sweep", "--recipe", "chapter", "--epochs", "1", "--data-dir", str(data_folder)]
    assert main([*command, "--out", str(tmp_path)]) == 0
    (row,) = _rows(tmp_path)
    assert float(row["tune_accuracy"]) > 0.7
    # The settings of the chapter, but held-out splits: nothing is chosen on the test images.
    last = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert "--recipe" not in last
    assert " ".join(last).endswith(" --momentum 0.0 --schedule constant --keep last --seed 0")


def test_impossible_folder_is_reported_before_any_fit(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["sweep", "--data", str(table), "--out", str(tmp_path / "file" / "sweep")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("demur: cannot make the folder")
