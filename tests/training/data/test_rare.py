"""`--drop-rare` leaves the examples of classes with too few out of every split, and the populations say so."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.inference.classifier import Classifier
from tests.training.data.made import folders, opened, picture, pool, with_copies, write
from training.__main__ import main
from training.errors import DataError

NOTE = "9 rows of 2 classes with fewer than 10 examples left out"
PLAIN = {"ignore_columns": ("patient", "visit")}


def _table(path: Path, **changed: Any) -> Path:
    """209 rows: 160 healthy, 40 ill, 2 of `a` and 7 of `b`, the rare ones first."""
    values = with_copies(200, 9)
    labels = ["a"] * 2 + ["b"] * 7 + values["label"][:200].tolist()
    return write(path, {name: np.roll(column, 9) for name, column in values.items()} | {"label": labels} | changed)


def test_rare_classes_are_in_no_split(tmp_path: Path) -> None:
    path = _table(tmp_path / "t.csv")
    data = opened(path, drop_rare=10, copies="free", **PLAIN)
    assert data.findings.warnings == [f"{NOTE} (--drop-rare): 'a', 'b'"]
    assert data.pool is not None
    assert data.pool.classes == ("healthy", "ill")
    parts = data.pool.parts(0)
    assert sum(map(len, parts.values())) == 200
    assert all(part.labels.min() >= 0 for part in parts.values())
    assert parts["report"].source.endswith(f", each row by itself (9 of them repeat another) ({NOTE})")
    assert parts["report"].source.startswith("the 200 rows of t.csv, drawn at random")
    assert data.pool.fingerprint != pool(path, min_per_class=1, copies="free", **PLAIN).fingerprint


def test_every_way_of_splitting_leaves_them_out(tmp_path: Path) -> None:
    path = _table(tmp_path / "t.csv", split=["report"] * 9 + ["train", "tune", "calibration", "report"] * 50)
    for options in (
        {"group_column": "patient", "ignore_columns": ("visit", "split")},
        {"time_column": "visit", "ignore_columns": ("patient", "split")},
        {"split_column": "split", **PLAIN},
        {"copies": "together", "ignore_columns": ("patient", "visit", "split")},
        {"report": _table(tmp_path / "late.csv", split=["x"] * 209), "ignore_columns": ("patient", "visit", "split")},
    ):
        parts = pool(path, drop_rare=15, **{"copies": "free", **options}).parts(0)
        lost = 18 if "report" in options else 9
        assert sum(map(len, parts.values())) == (400 if "report" in options else 200)
        for part in parts.values():
            assert part.labels.min() >= 0
            assert f"{lost} rows of 2 classes with fewer than 15 examples left out" in part.source


def test_copies_do_not_count_for_a_class(tmp_path: Path) -> None:
    root = folders(tmp_path / "pets")
    for number in range(12):
        picture(root / "cow" / f"{number}.png", 99)
    with pytest.raises(DataError, match=r"'cow' has 1 \(11 copies left out\), and each needs 10 .* --drop-rare 10$"):
        opened(root, min_per_class=10).findings.raise_errors()
    data = pool(root, drop_rare=10)
    assert data.classes == ("cat", "dog")
    assert data.parts(0)["train"].source == (
        "the 40 pictures of pets, drawn at random (12 pictures of 1 class with fewer than 10 examples left out)"
    )


def test_nothing_or_too_little_is_left(tmp_path: Path) -> None:
    path = _table(tmp_path / "t.csv")
    assert pool(path, drop_rare=2, min_per_class=2, **PLAIN).classes == ("a", "b", "healthy", "ill")
    errors = opened(path, drop_rare=100, **PLAIN).findings.errors
    assert errors == [
        "--drop-rare 100 leaves only the class 'healthy': a classifier needs two or more; give a smaller number"
    ]


def test_class_without_an_example_in_train_is_a_warning(tmp_path: Path) -> None:
    path = _table(tmp_path / "t.csv", split=["report"] * 9 + ["train", "tune", "calibration", "report"] * 50)
    data = pool(path, split_column="split", min_per_class=1, **PLAIN)
    (warning,) = data.warnings(data.parts(0))
    assert warning.startswith("the train split has no example of 'a', 'b': the model can hardly answer with them.")
    assert "leave such classes out by --drop-rare" in warning


def test_described_fitted_and_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = _table(tmp_path / "t.csv"), tmp_path / "m.onnx"
    options = ["--ignore-columns", "patient", "visit", "--copies", "free"]
    assert main(["describe", str(path), *options, "--drop-rare", "10"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"classes   {NOTE}" in lines
    assert not any(line.endswith("  a") for line in lines)
    assert main([*shlex.split(lines[-1])[1:], "--epochs", "1", "--out", str(out)]) == 0
    assert NOTE in Classifier.load(out).manifest.data.splits["calibration"].source
    assert main(["evaluate", str(out), "--data", str(path), *options, "--drop-rare", "10"]) == 0
    assert main(["evaluate", str(out), "--data", str(path), *options, "--min-per-class", "1"]) == 1
