"""Tables: from CSV and Parquet to splits, and one clear line for each problem."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from service.contract.inputs import FeaturesInput
from tests.training.data.made import columns, opened, pool, write
from training.data.splits import split
from training.errors import DataError

WITHOUT_SPLITS = {"ignore_columns": ("patient", "visit")}


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_table_becomes_the_graphs_input(tmp_path: Path, name: str) -> None:
    values = columns()
    data = pool(write(tmp_path / name, values), categorical=("age",), **WITHOUT_SPLITS)
    assert data.classes == ("healthy", "ill")
    assert isinstance(data.input, FeaturesInput)
    assert data.input.columns is not None
    named = {column.name: column.categories for column in data.input.columns}
    ages = [str(age) for age in sorted(set(values["age"].tolist()))]
    assert named == {"age": ages, "pressure": None, "sex": ["f", "m"], "smoker": ["false", "true"]}
    inputs = data.examples.inputs
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs[:, 0], [ages.index(str(age)) for age in values["age"]])
    np.testing.assert_allclose(inputs[:, 1], values["pressure"], rtol=1e-6)
    assert inputs[:4, 2:].tolist() == [[0, 1], [1, 0], [0, 0], [1, 1]]
    assert [data.classes[i] for i in data.examples.labels] == values["label"]
    splits = split(data, "tuned", 0)
    assert splits.calibration is not None
    assert [len(part) for part in (splits.train, splits.tune, splits.calibration, splits.report)] == [100, 20, 50, 30]
    assert splits.calibration.source == f"the 200 rows of {name}, drawn at random"


def test_dictionary_columns_are_categories(tmp_path: Path) -> None:
    values = columns()
    values["sex"] = pa.array(values["sex"]).dictionary_encode()
    values["label"] = pa.array(values["label"]).dictionary_encode()
    data = pool(write(tmp_path / "table.parquet", values), **WITHOUT_SPLITS)
    assert isinstance(data.input, FeaturesInput)
    assert data.input.columns is not None
    assert data.input.columns[2].categories == ["f", "m"]
    assert data.classes == ("healthy", "ill")


def test_integer_labels_are_sorted_by_size(tmp_path: Path) -> None:
    values = columns() | {"label": [(9, 10, 2)[i % 3] for i in range(200)]}
    assert pool(write(tmp_path / "table.csv", values), **WITHOUT_SPLITS).classes == ("2", "9", "10")


def test_column_with_fractions_only_at_its_end_is_read(tmp_path: Path) -> None:
    rows = ["x,label", *(f"{i},{'ab'[i % 2]}" for i in range(300_000)), "0.5,a"]
    path = tmp_path / "long.csv"
    path.write_text("\n".join(rows))
    assert pool(path).examples.inputs[-1, 0] == 0.5


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_missing_values_are_refused_or_kept(tmp_path: Path, name: str) -> None:
    values = columns()
    values["pressure"] = [None if i == 6 else p for i, p in enumerate(values["pressure"])]
    values["sex"] = [None if i in (6, 8) else s for i, s in enumerate(values["sex"])]
    path = write(tmp_path / name, values)
    data = pool(path, missing="mean", **WITHOUT_SPLITS)
    assert isinstance(data.input, FeaturesInput)
    assert data.input.missing == "mean"
    assert np.isnan(data.examples.inputs[6, 1])
    assert np.isnan(data.examples.inputs[8, 2])  # favours no class
    assert opened(path, **WITHOUT_SPLITS).findings.errors == [
        "2 of 200 rows lack a value, the first is row 7: column 'sex' has 2, 'pressure' has 1; give --missing mean, "
        "which replaces a number by the mean of the training rows and gives a missing category no weight; or leave the "
        "columns out by --ignore-columns sex pressure; or leave those rows out of the file"
    ]


def test_missing_category_is_no_category(tmp_path: Path) -> None:
    values = columns() | {"age": [None if i == 5 else float(i % 3 + 1) for i in range(200)]}
    data = pool(write(tmp_path / "t.parquet", values), categorical=("age",), missing="mean", **WITHOUT_SPLITS)
    assert isinstance(data.input, FeaturesInput)
    assert data.input.columns is not None
    assert data.input.columns[0].categories == ["1", "2", "3"]
    np.testing.assert_array_equal(data.examples.inputs[4:7, 0], [1, np.nan, 0])


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "infinite": (
        {"pressure": [np.inf] + [1.5] * 199},
        {},
        "column 'pressure' has 1 values that are infinite .* row 1",
    ),
    "too large": ({"pressure": [1e39] + [1.5] * 199}, {}, "column 'pressure' has 1 values that are infinite"),
    "one class": ({"label": ["ill"] * 200}, {}, "there is only one class, 'ill': a classifier needs two or more"),
    "few": (
        {"label": ["rare"] * 3 + ["ill"] * 197},
        {"min_per_class": 10},
        "too few .*: 'rare' has 3, and each needs 10 ",
    ),
    "label missing": ({"label": [None, "ill"] * 100}, {}, "100 of 200 labels are missing, the first in row 1"),
    "label outside": (
        {},
        {"classes": ("healthy", "dead")},
        "label 'ill', first in row 1, is not in --classes healthy dead",
    ),
    "quantity": (
        {},
        {"label_column": "pressure", "ignore_columns": ("patient", "visit", "label")},
        "the labels are 200 different decimal numbers, such as 0.14.*: a quantity, .* --label-column, or",
    ),
    "no value": ({"pressure": pa.nulls(200)}, {}, "column 'pressure' has no value in any row"),
    "times": ({}, {"ignore_columns": ("patient",)}, r"column 'visit' is of type date32.*--ignore-columns visit"),
}


@pytest.mark.parametrize(("change", "options", "message"), WRONG.values(), ids=WRONG)
def test_each_problem_is_reported_in_one_line(
    tmp_path: Path, change: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    data = opened(write(tmp_path / "table.parquet", columns() | change), **(WITHOUT_SPLITS | options))
    assert data.pool is None
    with pytest.raises(DataError, match=message) as caught:
        data.findings.raise_errors()
    assert "\n" not in str(caught.value)


FATAL: dict[str, tuple[Callable[[Path], Path], dict[str, Any], str]] = {
    "label column": (
        lambda f: write(f / "t.csv", columns()),
        {"label_column": "diagnosis"},
        r"--label-column diagnosis: .*t\.csv has no such column; it has age, pressure, sex",
    ),
    "not there": (lambda f: f / "t.csv", {}, r"--data .*t\.csv does not exist"),
    "no Parquet": (lambda f: _text(f / "t.parquet", "x,y\n1,2\n"), {}, r"t\.parquet cannot be read"),
    "ragged": (
        lambda f: _text(f / "t.csv", "x,label\n1\n2,a\n"),
        {},
        r"t\.csv cannot be read: CSV parse error: Row #2: .* --delimiter",
    ),
    "empty": (lambda f: _text(f / "t.csv", ""), {}, r"t\.csv is empty"),
    "no rows": (lambda f: _text(f / "t.csv", "x,label\n"), {}, r"t\.csv has no rows"),
    "twice": (lambda f: _text(f / "t.csv", "x,x,label\n1,2,a\n"), {}, "more than one column 'x'"),
    "times": (
        lambda f: write(f / "t.parquet", columns()),
        {"label_column": "visit"},
        "labels, column 'visit', are of type date32.*: they must be text, whole numbers or booleans; convert",
    ),
    "option": (
        lambda f: write(f / "t.csv", columns()),
        {"image_size": (2, 2)},
        "--image-size does not apply to a table",
    ),
    "form": (lambda f: _text(f / "t.xlsx", "x"), {}, "has an unknown form"),
}


def _text(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(("make", "options", "message"), FATAL.values(), ids=FATAL)
def test_unreadable_file_is_reported_in_one_line(
    tmp_path: Path, make: Callable[[Path], Path], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        opened(make(tmp_path), **options)
    assert "\n" not in str(caught.value)


def test_warnings(tmp_path: Path) -> None:
    values = columns() | {
        "pressure": np.full(200, 3.0),
        "id": [f"n{i}" for i in range(200)],
        "big": np.arange(200) * 7 % 200 + 2**30,
        "dirty": ["?" if i == 9 else str(i % 50) for i in range(200)],
        "file": [f"{i}.png" for i in range(200)],
    }
    warnings = "\n".join(opened(write(tmp_path / "table.parquet", values), **WITHOUT_SPLITS).findings.warnings)
    assert "1 constant column ('pressure')" in warnings
    assert "column 'id' has 200 categories in 200 rows" in warnings
    assert "column 'big' has whole numbers over 16777216" in warnings
    assert "column 'dirty' is read as categories because it holds '?' among numbers" in warnings
    assert "column 'file' looks like paths of pictures: give --path-column file" in warnings
