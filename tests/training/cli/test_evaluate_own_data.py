"""`evaluate` takes from the model what the model knows of its data: the file and the label column are enough."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.__main__ import main

RNG = np.random.default_rng(0)


def _table(folder: Path) -> list[str]:
    rows = ["id,x,code,colour,gap,kind"]
    for i in range(120):
        gap = "" if i % 9 == 0 else f"{RNG.normal():.2f}"
        rows.append(f"{i},{RNG.normal() + i % 3:.2f},{i % 4},{'rg'[i % 2]},{gap},{'abc'[i % 3]}")
    (folder / "rows.csv").write_text("\n".join(rows) + "\n")
    return ["--data", str(folder / "rows.csv"), "--label-column", "kind"]


def _pictures(folder: Path) -> list[str]:
    """Of several sizes, and one that is no picture."""
    for i in range(24):
        place = folder / "pictures" / ("cat", "dog")[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (8 + i, 9, 3), dtype=np.uint8)).save(place / f"{i}.png")
    (folder / "pictures" / "cat" / "broken.png").write_bytes(b"no picture")
    return ["--data", str(folder / "pictures")]


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = _table(tmp_path), tmp_path / "m.onnx"
    read = ["--missing", "mean", "--categorical", "code", "--ignore-columns", "id", "--classes", "c", "a", "b"]
    assert main(["fit", *data, *read, "--epochs", "1", "--out", str(out)]) == 0
    assert main(["evaluate", str(out), *data]) == 0
    capsys.readouterr()
    (tmp_path / "rows.csv").write_text((tmp_path / "rows.csv").read_text().replace("colour", "color"))
    assert main(["evaluate", str(out), *data]) == 1
    assert "the model's column colour: " in capsys.readouterr().err


def test_pictures(tmp_path: Path) -> None:
    data, out = _pictures(tmp_path), tmp_path / "m.onnx"
    read = ["--image-size", "6", "7", "--image-colour", "grey", "--skip-unreadable", "1"]
    assert main(["fit", *data, *read, "--epochs", "1", "--out", str(out)]) == 0
    assert main(["evaluate", str(out), *data]) == 0


def test_options_of_the_splits_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = _table(tmp_path), tmp_path / "m.onnx"
    options = ["--missing", "mean", "--group-column", "id"]
    assert main(["fit", *data, *options, "--epochs", "1", "--out", str(out)]) == 0
    assert main(["evaluate", str(out), *data]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert ": in the model, train is 60 of the 120 rows of rows.csv, drawn by id so that each is in one split" in line
    assert "Give the options of the fit that decide splits, such as --group-column" in line
    assert main(["evaluate", str(out), *data, "--group-column", "id"]) == 0
