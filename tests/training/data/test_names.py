"""The text of labels and categories is what was written, in every form of data; names easily confused are reported."""

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from service.contract.inputs import FeaturesInput
from tests.training.data.made import opened, pool, write
from training.data.coded import CodedColumn

ZIPS = ["01234", "1234", "90210", "90210", "00501"] * 8
X = [i * 7 % 40 + 0.5 for i in range(40)]
FLAGS = ["True", "true", "FALSE", "False", "TRUE"] * 8


def _csv(path: Path, **values: list[Any]) -> Path:
    """A CSV of 40 rows, each value as it is given."""
    columns = {"x": X, "label": ["a", "b"] * 20, **values}
    rows = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([",".join(columns), *rows]) + "\n", encoding="utf-8")
    return path


def _categories(path: Path, name: str, **options: Any) -> list[str]:
    kind = pool(path, **options).input
    assert isinstance(kind, FeaturesInput)
    assert kind.columns is not None
    return next(column.categories or [] for column in kind.columns if column.name == name)


WRITTEN: dict[str, tuple[list[Any], list[str]]] = {
    "zeros at the front": (ZIPS, ["00501", "01234", "1234", "90210"]),
    "booleans": (FLAGS, ["false", "true"]),
    "booleans and a word": ([*FLAGS[:-1], "Maybe"], ["Maybe", "false", "true"]),
    "blanks": (["a", "a "] * 20, ["a", "a "]),
    "whole decimals": (["10.0", "9.0"] * 20, ["9", "10"]),
    "decimals": (["10.0", "9.5"] * 20, ["9.5", "10.0"]),
    "versions": (["1.0", "1.0.1"] * 20, ["1.0", "1.0.1"]),
}


@pytest.mark.parametrize(("values", "names"), WRITTEN.values(), ids=WRITTEN)
def test_names_of_a_csv_are_as_written(tmp_path: Path, values: list[str], names: list[str]) -> None:
    path = _csv(tmp_path / "t.csv", c=values)
    assert _categories(path, "c", categorical=("c",)) == names
    assert pool(path, label_column="c", min_per_class=1, ignore_columns=("label",)).classes == tuple(names)


TYPES: dict[str, tuple[Any, list[str]]] = {
    "booleans": ([True, False] * 20, ["false", "true"]),
    "text of booleans": (FLAGS, ["false", "true"]),
    "whole floats": ([2.0, 1.0] * 20, ["1", "2"]),
    "float32": (pa.array([0.1, 1.0] * 20, pa.float32()), ["0.1", "1.0"]),
    "bytes": (pa.array(["é".encode(), b"e"] * 20), ["e", "é"]),
}


@pytest.mark.parametrize(("values", "names"), TYPES.values(), ids=TYPES)
def test_names_of_parquet_do_not_depend_on_its_types(tmp_path: Path, values: Any, names: list[str]) -> None:
    path = write(tmp_path / "t.parquet", {"x": X, "label": ["a", "b"] * 20, "c": values})
    assert _categories(path, "c", categorical=("c",)) == names


def test_files_that_hold_a_name_as_text_and_as_a_number_are_joined(tmp_path: Path) -> None:
    path = _csv(tmp_path / "t.csv", zip=["501", "502"] * 20)
    late = write(tmp_path / "late.parquet", {"x": X, "label": ["a", "b"] * 20, "zip": [501, 502] * 20})
    data = pool(path, categorical=("zip",), report=late)
    assert data.examples.inputs[:2, 1].tolist() == data.examples.inputs[40:42, 1].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("values", "names", "missing"),
    [(["1", "2", "NA", ""], ("1", "2"), [2, 3]), (["a", "NA", ""], ("NA", "a"), [2]), (["NA"], ("NA",), [])],
)
def test_na_is_missing_among_numbers(values: list[str], names: tuple[str, ...], missing: list[int]) -> None:
    coded = CodedColumn.from_arrow(pa.array(values), "x")
    assert coded.names == names
    assert coded.missing().tolist() == missing


TWINS: dict[str, tuple[list[str], str]] = {
    "zeros": (["1", "01", "01", "2"], "'01' (20) and '1' (10) differ only in the zeros of a number"),
    "blanks": (["blue", "blue ", "red", "red"], "'blue' (10) and 'blue ' (10) differ only in blanks at the ends"),
    "case": (["Blue", "blue", "red", "red"], "'Blue' (10) and 'blue' (10) differ only in case"),
    "both": (
        ["Blue", " blue", "red", "red"],
        "' blue' (10) and 'Blue' (10) differ only in blanks at the ends and case",
    ),
    "form": (
        [unicodedata.normalize(form, "thé") for form in ("NFC", "NFC", "NFC", "NFD")],
        r"'the\u0301' (10) and 'th\xe9' (30) differ only in Unicode form (NFC, NFD)",
    ),
}


@pytest.mark.parametrize(("values", "line"), TWINS.values(), ids=TWINS)
def test_names_that_are_easily_confused_are_reported(tmp_path: Path, values: list[str], line: str) -> None:
    path = _csv(tmp_path / "t.csv", c=values * 10)
    labels = opened(path, label_column="c", ignore_columns=("label",))
    assert labels.pool is not None  # they stay classes of their own
    assert labels.findings.warnings == [f"the classes {line}: write them alike if they are one class"]
    categories = opened(path, categorical=("c",))
    assert categories.findings.warnings == [
        f"column 'c': the categories {line}: write them alike if they are one category"
    ]


def test_other_doubtful_labels_are_reported(tmp_path: Path) -> None:
    data = opened(_csv(tmp_path / "t.csv", c=["2.0", "1.0"] * 20), label_column="c", ignore_columns=("label",))
    assert data.findings.warnings == [
        "the labels are whole numbers written as decimals, such as 1.0: the classes are 1, 2"
    ]
    data = opened(_csv(tmp_path / "t.csv", c=["a", "NA"] * 20), label_column="c", ignore_columns=("label",))
    assert data.findings.warnings == ["'NA' (20) is a class: leave the cells empty if the values are missing"]
    halves = pool(_csv(tmp_path / "t.csv", c=["0.5", "1.0"] * 20), label_column="c", ignore_columns=("label",))
    assert halves.classes == ("0.5", "1.0")


def test_named_classes_may_be_spelled_as_booleans(tmp_path: Path) -> None:
    path = _csv(tmp_path / "t.csv", c=["True", "False"] * 20)
    data = pool(path, label_column="c", ignore_columns=("label",), classes=("True", "False"))
    assert data.classes == ("true", "false")
    assert np.unique(data.examples.labels).tolist() == [0, 1]
