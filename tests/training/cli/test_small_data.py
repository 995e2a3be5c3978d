"""Few rows, classes, columns, groups or times: a model is published, with warnings, wherever one can be fitted."""

from pathlib import Path

import numpy as np
import pytest

from service.inference.classifier import Classifier
from training.__main__ import main

RNG = np.random.default_rng(0)


def _table(folder: Path, classes: str, columns: int = 3, extra: dict[str, list[int]] | None = None) -> Path:
    """A row for each letter of `classes`, around a centre of its own; `extra` columns hold whole numbers."""
    extra = extra or {}
    rows = [",".join([*(f"x{i}" for i in range(columns)), *extra, "label"])]
    for number, label in enumerate(classes):
        values = [f"{value:.3f}" for value in RNG.normal("abcdef".index(label), 1, columns)]
        rows.append(",".join([*values, *(str(column[number]) for column in extra.values()), label]))
    path = folder / "rows.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(
    ("classes", "columns"),
    [
        ("ab" * 15, 4),
        ("abc" * 10, 4),
        ("abcde" * 12, 4),
        ("abc" * 3, 4),  # three rows of a class
        ("ab" * 2, 2),  # one row in each split
        ("a" * 29 + "b", 2),
        ("ab" * 20, 1),  # no residual outside the only component
        ("ab" * 15, 60),  # more columns than rows
    ],
)
def test_few_rows(tmp_path: Path, classes: str, columns: int, capsys: pytest.CaptureFixture[str]) -> None:
    """They are published, described, measured and compared; what cannot be promised is said, the default last."""
    data, out = _table(tmp_path, classes, columns), tmp_path / "model.onnx"
    assert main(["fit", "--data", str(data), "--epochs", "3", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert ("warning: few examples of a class: " in printed.err) == (min(map(classes.count, set(classes))) < 10)
    last = printed.out.splitlines()[-1]
    assert last.startswith("WARNING: The default policy, selective_risk 0.05, could not be certified: the model abst")
    manifest = Classifier.load(out).manifest
    assert manifest.warnings[-1] == last.removeprefix("WARNING: ")
    assert main(["evaluate", str(out), "--data", str(data)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == last
    assert main(["describe", str(data)]) == 0


@pytest.mark.parametrize(
    ("split", "values", "expected"),
    [
        (
            "--group-column",
            [0, 1, 2],
            "there are 60 examples in 3 groups that stay together; four splits take at least",
        ),
        (
            "--time-column",
            [0, 1, 2],
            "there are 60 examples at 3 different times, of which equal ones stay together; f",
        ),
    ],
)
def test_too_few_groups_or_times(
    tmp_path: Path, split: str, values: list[int], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _table(tmp_path, "abc" * 20, extra={"when": values * 20})
    assert main(["fit", "--data", str(data), split, "when", "--out", str(tmp_path / "m.onnx")]) == 1
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("split", ["--group-column", "--time-column"])
def test_four_groups_or_times_of_unequal_size(tmp_path: Path, split: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each split has one, none is divided, and a line says that their sizes are not the shares."""
    data = _table(tmp_path, "abc" * 20, extra={"when": [0] * 57 + [1, 2, 3]})
    assert main(["fit", "--data", str(data), split, "when", "--epochs", "1", "--out", str(tmp_path / "m.onnx")]) == 0
    splits = Classifier.load(tmp_path / "m.onnx").manifest.data.splits
    assert sorted(part.size for part in splits.values()) == [1, 1, 1, 57]
    assert "examples and not about" in capsys.readouterr().out


def test_class_without_a_training_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = _table(tmp_path, "a" * 20 + "b" * 20, extra={"when": list(range(40))})
    assert (
        main(["fit", "--data", str(data), "--time-column", "when", "--epochs", "1", "--out", str(tmp_path / "m")]) == 0
    )
    assert (
        "warning: the train split has no example of 'b': the model can hardly answer with it."
        in capsys.readouterr().out
    )
    assert main(["fit", "--data", str(data), "--min-per-class", "21", "--out", str(tmp_path / "n")]) == 1
    assert "'b' has 20, and each needs 21 (--min-per-class): add some, or leave such" in capsys.readouterr().err
