"""Unusable data and diverging fits: one line names the problem and its place, and nothing is published."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from training.__main__ import main

N = 1200
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, N)
ROWS = (RNG.normal(size=(N, 3)) + np.array([[0, 0, 0], [5, 0, 0], [0, 5, 0]])[LABELS]).astype(np.float32)
PICTURES = RNG.integers(0, 256, (N, 4, 5), dtype=np.uint8)

Made = list[str]  # options of `fit`


def _embeddings(folder: Path, rows: NDArray[Any] = ROWS, labels: NDArray[Any] = LABELS) -> Made:
    np.save(folder / "x.npy", rows)
    np.save(folder / "y.npy", labels)
    return ["--data", str(folder / "x.npy"), "--labels", str(folder / "y.npy")]


def _embeddings_with(value: float) -> Callable[[Path], Made]:
    rows = ROWS.copy()
    rows[7, 1] = value
    return lambda folder: _embeddings(folder, rows)


def _table_with(value: str) -> Callable[[Path], Made]:
    def make(folder: Path) -> Made:
        with (folder / "t.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["depth", "width", "label"])
            for number, (row, label) in enumerate(zip(ROWS, LABELS, strict=True)):
                writer.writerow([row[0], value if number == 9 else row[1], label])
        return ["--data", str(folder / "t.csv")]

    return make


def _pictures(folder: Path, pictures: NDArray[np.uint8]) -> Made:
    np.savez(folder / "p.npz", images=pictures, labels=LABELS)
    return ["--data", str(folder / "p.npz")]


def _folders(folder: Path) -> Made:
    for number, picture in enumerate(PICTURES[:40]):
        (folder / "pictures").mkdir(exist_ok=True)
        Image.fromarray(picture).save(folder / "pictures" / f"{number}.png")
    return ["--data", str(folder / "pictures")]


def _with(*options: str) -> Callable[[Path], Made]:
    return lambda folder: [*_embeddings(folder), *options]


LABELS_WITH_NAN = np.where(np.arange(N) == 5, np.nan, LABELS)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (_embeddings_with(np.nan), "the first is row 7: column 1 has 1; give --missing mean, which"),
        (_embeddings_with(-np.inf), "column 1 has 1 values that are infinite in float32, the first in row 7: every"),
        (_table_with("nan"), "the first is row 10: column 'width' has 1; give --missing mean, which"),
        (_table_with("1e60"), "column 'width' has 1 values that are infinite in float32, the first in row 10: every"),
        (lambda f: _embeddings(f, labels=LABELS_WITH_NAN), "1 of 1200 labels are missing, the first in row 5: every"),
        (_with("--classes", "0", "1"), "the label '2', first in row 0, is not in --classes 0 1"),
        (_with("--classes", "0", "1", "2", "3"), "too few examples of a class: '3' has 0, and each needs 1 (--min-per"),
        (lambda f: _embeddings(f, labels=0 * LABELS), "there is only one class, '0': a classifier needs two or more"),
        (_folders, "pictures has no folder with pictures, but 40 pictures: put the pictures into one folder for"),
        (lambda f: _embeddings(f, 0 * ROWS), "all rows are the same in all 3 columns: there is nothing to learn from"),
        (
            lambda f: _pictures(f, 0 * PICTURES),
            "every picture is the same, in all its pixels: there is nothing to learn",
        ),
        (
            _with("--augment", "shift"),
            "--augment shift moves pictures by a pixel, and these inputs are features: leave",
        ),
        (_with("--learning-rate", "1e38"), "the fit diverged in epoch 1: the loss on train is nan. Try a --learning-"),
        (_with("--learning-rate", "1e6", "--epochs", "2"), "; equal probabilities have 1.1. Try a --learning-rate u"),
        (_with("--learning-rate", "1e6", "--epochs", "2", "--clip-norm", "1"), "the fit diverged: the kept epoch "),
    ],
)
def test_fit_stops_with_one_line_and_publishes_nothing(
    tmp_path: Path, make: Callable[[Path], Made], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "models" / "model.onnx"
    out.parent.mkdir()
    out.write_bytes(b"the one before")
    assert main(["fit", *make(tmp_path), "--out", str(out)]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("demur: ")
    assert line in last
    assert out.read_bytes() == b"the one before"
    assert list(out.parent.iterdir()) == [out]


def test_constant_columns_and_pixels_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning is enough: the fit learns from the other columns, and constant ones favour no class."""
    rows, pictures = ROWS.copy(), PICTURES.copy()
    rows[:, 2], pictures[:, 1:3, 4] = 3, 255
    out = ["--epochs", "1", "--out", str(tmp_path / "m.onnx")]
    assert main(["fit", *_embeddings(tmp_path, rows), *out]) == 0
    assert "warning: 1 constant column (2): the model learns nothing from it\n" in capsys.readouterr().err
    assert main(["fit", *_pictures(tmp_path, pictures), *out]) == 0
    assert (
        "warning: 2 of 20 pixels are the same in every picture, the first in row 1, column 4: the model learns "
        "nothing from them\n" in capsys.readouterr().err
    )


def test_high_rate_with_a_good_end_is_published(tmp_path: Path) -> None:
    """Large losses on the way are no divergence, and the temperature corrects needlessly large ones at the end."""
    arguments = _with("--learning-rate", "30", "--epochs", "5", "--recipe", "tuned")(tmp_path)
    assert main(["fit", *arguments, "--out", str(tmp_path / "m.onnx")]) == 0
