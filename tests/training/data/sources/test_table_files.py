"""Tables of several files: folders of CSV or Parquet, and partitions, are read as one table."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from service.contract.inputs import FeaturesInput
from tests.training.data.made import columns, opened, pool, write
from training.data.pool import Pool
from training.errors import DataError

WITHOUT_SPLITS = {"ignore_columns": ("patient", "visit")}


def _halves() -> list[dict[str, Any]]:
    return [{name: column[half] for name, column in columns().items()} for half in (slice(100), slice(100, None))]


def _same(data: Pool, other: Pool) -> bool:
    return np.array_equal(data.examples.inputs, other.examples.inputs) and data.classes == other.classes


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_folder_is_one_table(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "parts").mkdir()
    for name, half in zip("ab", _halves(), strict=True):
        write(tmp_path / "parts" / f"{name}.{suffix}", half)
    (tmp_path / "parts" / "_SUCCESS").touch()
    data = pool(tmp_path / "parts", **WITHOUT_SPLITS)
    assert _same(data, pool(write(tmp_path / f"whole.{suffix}", columns()), **WITHOUT_SPLITS))
    assert opened(tmp_path / "parts", **WITHOUT_SPLITS).raw.form.endswith(", 2 files")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_partitions_are_columns(tmp_path: Path, suffix: str) -> None:
    table = pa.table(columns()).append_column("year", pa.array([2000 + i % 2 for i in range(200)]))
    for label in ("healthy", "ill"):
        for year in (2000, 2001):
            rows = [x == (label, year) for x in zip(table["label"].to_pylist(), table["year"].to_pylist(), strict=True)]
            folder = tmp_path / "hive" / f"label={label}" / f"year={year}"
            folder.mkdir(parents=True)
            write(folder / f"part-0.{suffix}", table.filter(pa.array(rows)).drop(["label", "year"]).to_pydict())
    data = pool(tmp_path / "hive", **WITHOUT_SPLITS)
    assert data.classes == ("healthy", "ill")
    assert np.bincount(data.examples.labels).tolist() == [160, 40]
    assert isinstance(data.input, FeaturesInput)
    assert data.input.columns is not None
    assert [(column.name, column.categories) for column in data.input.columns[-1:]] == [("year", None)]
    assert set(data.examples.inputs[:, -1].tolist()) == {2000, 2001}


def test_numbers_in_one_file_and_text_in_another_are_text(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for name, codes in (("a", ["01", "02"]), ("b", ["A1", "02"])):
        rows = [f"{codes[i % 2]},{i % 7},{'xy'[i % 3 == 0]}" for i in range(30)]
        (tmp_path / "parts" / f"{name}.csv").write_text("\n".join(["code,n,label", *rows]))
    data = pool(tmp_path / "parts")
    assert isinstance(data.input, FeaturesInput)
    assert data.input.columns is not None
    assert data.input.columns[0].categories == ["01", "02", "A1"]


def test_labels_beside_an_array_may_be_any_csv(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(40, 3)))
    text = "\n".join(["id;label", *(f"{i};{'ab'[i % 2]}" for i in range(40))])
    (tmp_path / "y.csv.gz").write_bytes(gzip.compress(text.encode("latin-1")))
    assert pool(tmp_path / "x.npy", labels=tmp_path / "y.csv.gz", encoding="latin-1").classes == ("a", "b")


def _write_parts(folder: Path, *parts: tuple[str, str]) -> Path:
    for name, text in parts:
        (folder / name).write_text(text)
    return folder


WRONG: dict[str, tuple[list[tuple[str, str]], dict[str, Any], str]] = {
    "lacks a column": (
        [("a.csv", "x,y,label\n1,2,a\n"), ("b.csv", "x,label\n1,a\n")],
        {},
        r"b\.csv has no column 'y', which .*a\.csv has: all files of a table .* the same columns; or name one file",
    ),
    "has one more": (
        [("a.csv", "x,label\n1,a\n"), ("b.csv", "x,y,label\n1,2,a\n")],
        {},
        r"a\.csv has no column 'y', which .*b\.csv has",
    ),
    "two forms": (
        [("a.csv", "x,label\n1,a\n"), ("b.parquet", "")],
        {},
        r"CSV and Parquet files \(a\.csv, b\.parquet\)",
    ),
    "nothing to read": ([("a.csv", "x,label\n")], {}, "has no rows"),
    "option": ([("a.csv", "x,label\n1,a\n")], {"image_size": (2, 2)}, "--image-size does not apply to a table"),
}


@pytest.mark.parametrize(("parts", "options", "message"), WRONG.values(), ids=WRONG)
def test_unfit_folder_is_reported_in_one_line(
    tmp_path: Path, parts: list[tuple[str, str]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        opened(_write_parts(tmp_path, *parts), **options)
    assert "\n" not in str(caught.value)


def test_csv_options_are_for_csv(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--delimiter does not apply to Parquet"):
        opened(write(tmp_path / "t.parquet", columns()), delimiter=";")
