"""Embeddings in Parquet: the same rows from each type, in little memory, and one line for each problem."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from service.contract.inputs import FeaturesInput
from tests.server import ROOT
from tests.training.data.made import columns, opened, pool, write
from training.__main__ import main
from training.data.splits import split
from training.errors import DataError

VECTORS = np.random.default_rng(0).normal(size=(200, 7)).astype(np.float32)
LABELS = [("cat", "dog")[i % 2] for i in range(200)]


def _fixed(values: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _bytes(values: np.ndarray) -> pa.Array:
    return pa.array([row.astype("<f4").tobytes() for row in values], pa.binary(values.shape[1] * 4))


TYPES: dict[str, tuple[Callable[[np.ndarray], pa.Array], type, type]] = {
    "fixed_size_list of float32": (_fixed, np.float32, np.float32),
    "fixed_size_list of float16": (_fixed, np.float16, np.float16),
    "fixed_size_list of float64": (_fixed, np.float64, np.float32),
    "list of float16": (lambda v: pa.array(list(v), pa.list_(pa.float16())), np.float16, np.float16),
    "list of float32": (lambda v: pa.array(list(v), pa.list_(pa.float32())), np.float32, np.float32),
    "large_list of float64": (lambda v: pa.array(list(v), pa.large_list(pa.float64())), np.float64, np.float32),
    "list of int8": (lambda v: pa.array(list(v), pa.list_(pa.int8())), np.int8, np.float32),
    "fixed_size_list of int64": (_fixed, np.int64, np.float32),
    "fixed_size_binary": (_bytes, np.float32, np.float32),
}


@pytest.mark.parametrize(("make", "kind", "kept"), TYPES.values(), ids=TYPES)
def test_each_type_becomes_the_same_memory_map(
    tmp_path: Path, make: Callable[[np.ndarray], pa.Array], kind: type, kept: type
) -> None:
    values: np.ndarray = (VECTORS * 30).astype(kind)
    table = pa.table({"label": LABELS, "embedding": make(values)})
    pa.parquet.write_table(table, tmp_path / "x.parquet", row_group_size=33)
    data = pool(tmp_path / "x.parquet")
    assert data.input == FeaturesInput(width=7, columns=None)
    assert isinstance(data.examples.base, np.memmap)
    assert data.examples.base.dtype == kept
    np.testing.assert_array_equal(data.examples.inputs, values.astype(np.float32))
    assert [data.classes[i] for i in data.examples.labels] == LABELS
    parts = split(data, "tuned", 0)
    assert isinstance(parts.train.base, np.memmap)
    rows = [data.examples.inputs.tolist().index(row) for row in parts.report.inputs.tolist()]
    assert (data.examples.labels[rows] == parts.report.labels).all()


def test_folder_of_files_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for start in reversed(range(0, 200, 40)):
        rows = slice(start, start + 40)
        wide = VECTORS[rows].astype(np.float64)
        vectors = pa.array(wide.tolist()) if start % 80 else _fixed(wide)
        write(folder / f"part-{start:03}.parquet", {"label": LABELS[rows], "e": vectors})
    write(folder / "part-empty.parquet", {"label": pa.array([], pa.string()), "e": _fixed(VECTORS[:0])})
    (folder / "_SUCCESS").touch()
    data = pool(folder)
    assert data.name == "parts"
    np.testing.assert_array_equal(data.examples.inputs, VECTORS)
    assert data.parts(0)["train"].source == "the 200 rows of parts, drawn at random"


def test_folder_of_many_files_with_a_separate_split_folder(tmp_path: Path) -> None:
    for name, rows in {"main": range(140), "late": range(140, 200)}.items():
        (tmp_path / name).mkdir()
        for i in rows:
            write(tmp_path / name / f"{i:03}.parquet", {"label": LABELS[i : i + 1], "e": _fixed(VECTORS[i : i + 1])})
    data = pool(tmp_path / "main", report=tmp_path / "late")
    np.testing.assert_array_equal(np.sort(data.parts(0)["report"].inputs, axis=0), np.sort(VECTORS[140:], axis=0))
    assert data.parts(0)["report"].source.startswith("the 60 rows of late, a file of its own")


def test_folder_of_tables_is_one_table(tmp_path: Path) -> None:
    values = columns()
    for start in range(0, 200, 50):
        part = {name: column[start : start + 50] for name, column in values.items()}
        write(tmp_path / f"{start:03}.parquet", part)
    data = pool(tmp_path, group_column="patient", ignore_columns=("visit",))
    assert isinstance(data.input, FeaturesInput)
    assert data.input.columns is not None
    np.testing.assert_allclose(data.examples.inputs[:, 1], values["pressure"], rtol=1e-6)


def test_other_columns_set_splits_or_are_left_out_with_a_warning(tmp_path: Path) -> None:
    values = columns() | {"embedding": _fixed(VECTORS), "other": _fixed(VECTORS[:, :2])}
    path = write(tmp_path / "x.parquet", values)
    data = opened(path, vector_column="embedding", group_column="patient", ignore_columns=("age", "other"))
    assert data.findings.warnings == [
        "the model learns only from the vectors of column 'embedding': pressure, sex, smoker, visit are left out"
    ]
    assert data.pool is not None
    assert "drawn by patient" in data.pool.parts(0)["calibration"].source
    assert pool(path, ignore_columns=("other",), time_column="visit").times[0] == "2024-01-01"
    assert pool(path, ignore_columns=("other",)).input == FeaturesInput(width=7)


def test_bytes_beside_other_columns_are_vectors_only_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", {"label": LABELS, "id": _bytes(VECTORS), "age": np.arange(200) % 70})
    assert opened(path).findings.errors == [
        "column 'id' is of type fixed_size_binary[28]: inputs are numbers, strings or booleans; "
        "leave it out by --ignore-columns id, or use it by --vector-column"
    ]
    np.testing.assert_array_equal(pool(path, vector_column="id").examples.inputs, VECTORS)


def test_printed_command_trains_the_described_embeddings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = VECTORS + 5 * np.array([label == "dog" for label in LABELS])[:, None]
    path = write(tmp_path / "x.parquet", {"label": LABELS, "embedding": _fixed(moved.astype(np.float32))})
    assert main(["describe", str(path), "--vector-column", "embedding"]) == 0
    output = capsys.readouterr().out
    assert "column 'embedding' of Parquet, copied into a memory map of float32" in output
    command = output.splitlines()[-1].split()
    assert command[1:] == ["fit", "--data", str(path), "--vector-column", "embedding", "--out", "build/x.onnx"]
    assert main([*command[1:], "--epochs", "2", "--out", str(tmp_path / "m.onnx"), "--min-accuracy", "0.9"]) == 0


def _with(changed: Any, column: str = "e", **others: Any) -> dict[str, Any]:
    return {"label": LABELS, column: changed, **others}


ROWS: list[Any] = VECTORS.tolist()
WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "ragged": (
        _with([*ROWS[:150], [1.0, 2.0], *ROWS[151:]]),
        {},
        r"x\.parquet, column 'e': the vector of row 151 has 2 numbers, the first has 7",
    ),
    "no vector": (_with([*ROWS[:9], None, *ROWS[10:]]), {}, r"column 'e': row 10 has no vector"),
    "no first vector": (_with([None, *ROWS[1:]]), {}, r"column 'e': the vector of row 1 is empty or missing"),
    "empty vector": (_with([[], *ROWS[1:]]), {}, r"column 'e': the vector of row 1 is empty or missing"),
    "null": (
        _with([*ROWS[:9], [1.0] * 6 + [None], *ROWS[10:]]),
        {},
        r"column 'e': number 6 of the vector of row 10 is null",
    ),
    "no label": ({"e": ROWS}, {}, r"--label-column label: .*x\.parquet has no such column; it has e"),
    "several": (_with(ROWS, f=ROWS), {}, "has several columns of vectors, e, f: name one by --vector-column"),
    "not there": (_with(ROWS), {"vector_column": "v"}, r"--vector-column v: .* has no such column; it has label, e"),
    "no vectors": (
        _with(ROWS, age=np.arange(200)),
        {"vector_column": "age"},
        "column 'age', is of type int64: a vector must be a list of floats or whole numbers, or fixed-size bytes",
    ),
    "ignored": (_with(ROWS), {"ignore_columns": ("id",)}, "--ignore-columns id: .* has no such column"),
    "group": (_with(ROWS), {"group_column": "who"}, "a split, group or time column who: .* has no such column"),
    "categorical": (_with(ROWS), {"categorical": ("e",)}, "--categorical does not apply to embeddings"),
    "labels": (_with(ROWS), {"labels": Path("y.npy")}, "--labels does not apply to a table"),
}


@pytest.mark.parametrize(("values", "options", "message"), WRONG.values(), ids=WRONG)
def test_each_problem_is_reported_in_one_line(
    tmp_path: Path, values: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        opened(write(tmp_path / "x.parquet", values), **options)
    assert "\n" not in str(caught.value)


def test_nan_and_infinity_are_found_by_the_scan(tmp_path: Path) -> None:
    bad = VECTORS.astype(np.float64)
    bad[11, 3], bad[12, 4], bad[13, 4] = np.nan, np.inf, 1e300
    errors = opened(write(tmp_path / "x.parquet", _with(_fixed(bad)))).findings.errors
    assert errors[0].startswith("column 4 has 2 values that are infinite in float32, the first in row 13:")
    assert errors[1].startswith("1 of 200 rows lack a value, the first is row 12: column 3 has 1; ")
    bad[12:14, 4] = 0
    assert pool(write(tmp_path / "x.parquet", _with(_fixed(bad))), missing="mean").input == FeaturesInput(
        width=7, missing="mean"
    )


def test_files_that_do_not_fit_together(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", _with(_fixed(VECTORS)))
    write(tmp_path / "b.parquet", _with(_fixed(VECTORS[:, :5])))
    with pytest.raises(DataError, match=r"b\.parquet.*the vector of row 1 has 5 numbers, the first has 7"):
        opened(tmp_path)
    write(tmp_path / "b.parquet", _with(_fixed(VECTORS), column="f"))
    with pytest.raises(DataError, match=r"a column of vectors e: .*b\.parquet has no such column"):
        opened(tmp_path)
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"b\.parquet cannot be read: "):
        opened(tmp_path)
    (tmp_path / "late.csv").write_text("label,e\n")
    with pytest.raises(DataError, match=r"late\.csv is a CSV file, but .*a\.parquet holds vectors in Parquet"):
        opened(tmp_path / "a.parquet", report=tmp_path / "late.csv")


def test_damaged_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", _with(_fixed(VECTORS)))
    chunk = pa.parquet.read_metadata(path).row_group(0).column(1)
    content = bytearray(path.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start : start + 20] = b"\xff" * 20  # the header of its first page
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.parquet cannot be read: "):
        opened(path)


def test_vector_column_of_other_forms_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--vector-column does not apply to a CSV file"):
        opened(write(tmp_path / "x.csv", columns()), vector_column="age")
    np.save(tmp_path / "x.npy", VECTORS)
    with pytest.raises(DataError, match=r"--vector-column does not apply to a \.npy"):
        opened(tmp_path / "x.npy", labels=tmp_path / "y.npy", vector_column="age")


FULL = """
import resource, sys
from pathlib import Path
from training.data.opening import open_data
from training.data.options import DataOptions
from training.errors import DataError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # as a full disk
try:
    open_data(DataOptions(Path(sys.argv[1])))
except DataError as error:
    print(error)
"""


def test_full_disk_is_reported_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", _with(_fixed(VECTORS)))
    spool = tmp_path / "spool"
    spool.mkdir()
    command = [sys.executable, "-c", FULL, str(path)]
    environment = {"TMPDIR": str(spool), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == (
        f"{spool} cannot hold the 5,600 bytes of the vectors: File too large; name another folder by TMPDIR\n"
    ), done.stderr
    assert list(spool.iterdir()) == []
