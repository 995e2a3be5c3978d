"""Columns that are no features are left out with a line; numbers written as text are found, and read on request."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from service.contract.inputs import FeaturesInput
from tests.server import ROOT
from tests.training.data.made import opened, pool, write
from training.data.opening import load
from training.data.options import DataOptions
from training.errors import DataError

N = 60
LABELS = [("a", "b")[i % 3 == 0] for i in range(N)]
X = np.random.default_rng(0).normal(size=N)


def _columns(path: Path, **options: Any) -> dict[str, list[str] | None]:
    """The inputs of the model, each with its categories."""
    kind = opened(path, **options).raw.input
    assert isinstance(kind, FeaturesInput)
    assert kind.columns is not None
    return {column.name: column.categories for column in kind.columns}


LEFT_OUT: dict[str, tuple[str, Any, str]] = {
    "index of pandas": ("__index_level_0__", np.arange(N)[::-1] * 3, "it is the index of pandas"),
    "index of text": ("__index_level_0__", [f"r{i}" for i in range(N)], "it is the index of pandas. .* --categorical"),
    "written twice": ("Unnamed: 0", np.arange(N) * 5, "it has no name in the file"),
    "from 0": ("row", np.arange(N), "it numbers the rows. To use it, give --numeric row"),
    "from 1, shuffled": ("my row", 1 + np.random.default_rng(0).permutation(N), "it numbers .* --numeric 'my row'"),
    "from 1000": ("row", np.arange(1000, 1000 + N), "it numbers the rows"),
    "down": ("row", np.arange(N)[::-1], "it numbers the rows"),
}


@pytest.mark.parametrize(("name", "values", "reason"), LEFT_OUT.values(), ids=LEFT_OUT)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_column_that_numbers_the_rows_is_left_out(
    tmp_path: Path, form: str, name: str, values: Any, reason: str
) -> None:
    path = write(tmp_path / f"t.{form}", {name: values, "x": X, "label": LABELS})
    assert _columns(path) == {"x": None}
    lines: list[str] = []
    load(DataOptions(path, min_per_class=1), None, lines.append)
    (line,) = [line for line in lines if "is left out" in line]
    assert line.startswith(f"column {name!r} is left out: ")
    assert re.search(reason, line)
    keep = "categorical" if isinstance(values, list) else "numeric"
    assert list(_columns(path, **{keep: (name,)})) == [name, "x"]


def test_unnamed_columns_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "\n".join(
            [",x,label,", *(f"{i * 7 % 50},{x},{label}," for i, (x, label) in enumerate(zip(X, LABELS, strict=True)))]
        )
    )
    assert opened(path).findings.left_out == [
        "column 'Unnamed: 0' is left out: it has no name in the file, as the index of pandas. To use it, give "
        "--numeric 'Unnamed: 0'",
        "column 'Unnamed: 3' is left out: it has no name and no value",
    ]
    assert _columns(path, numeric=("Unnamed: 0",)) == {"Unnamed: 0": None, "x": None}


def test_names_that_no_model_can_have(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", {"": X, "q" * 201: X, "x": X, "label": LABELS})
    findings = opened(path).findings
    assert findings.left_out == ["a column without a name is left out: give it a name in the file to use it"]
    (error,) = findings.errors
    assert error.startswith(f"the column '{'q' * 40}'... has a name of 201 characters: at most 200 are allowed;")


def test_row_numbers_start_again_in_each_file(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for part in range(3):
        half = {"row": np.arange(20), "x": X[20 * part :][:20], "label": LABELS[:20]}
        write(tmp_path / "parts" / f"{part}.csv", half)
    assert _columns(tmp_path / "parts") == {"x": None}


@pytest.mark.parametrize(
    "values",
    [np.arange(N) % 20, np.arange(N) // 2, np.arange(N) / 1.0, [*range(N - 1), None], np.arange(N) * 7 % 59 + 5],
    ids=["cycles", "pairs", "floats", "missing", "no range"],
)
def test_other_numbers_are_features(tmp_path: Path, values: Any) -> None:
    path = write(tmp_path / "t.parquet", {"n": values, "x": X, "label": LABELS})
    assert _columns(path) == {"n": None, "x": None}


def test_rising_numbers_are_features_with_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"id": np.arange(N) ** 2, "x": X, "label": LABELS})
    (warning,) = opened(path).findings.warnings
    assert warning.startswith("column 'id' rises with every row: if it identifies the rows, give --ignore-columns id;")
    assert opened(path, numeric=("id",)).findings.warnings == []


def test_row_number_alone_is_nothing_to_learn_from(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"row": np.arange(N), "label": LABELS})
    with pytest.raises(DataError, match=r"no column besides label: .*; column 'row' is left out: .* --numeric row"):
        opened(path)


def _texts(form: str) -> list[str]:
    return [form.format(f"{1000 + i + i / 4:,.2f}") for i in range(N)]


def _swapped(texts: list[str]) -> list[str]:
    return [text.translate(str.maketrans(",.", ".,")) for text in texts]


WRITTEN: dict[str, tuple[list[str], str, str]] = {
    "decimal comma": (
        [f"{i},5" for i in range(N)],
        ",",
        r"such as '59,5', in column 'x': .* Give --decimal , \(to read 59\.5\)",
    ),
    "thousands": (_texts("{}"), ".", r"Give --decimal \. \(to read 1073\.75\)"),
    "thousands, decimal comma": (_swapped(_texts("{}")), ",", "Give --decimal , "),
    "per cent": (
        [f"{i} %" for i in range(N)],
        ".",
        r"such as '59 %', in column 'x': each is a category. Give --decimal \. ",
    ),
    "money": (_texts("$ {}"), ".", r"--decimal \. "),
    "either": (
        [f"{i + 1},250" for i in range(N)],
        ",",
        r"Give --decimal \. \(to read 60250\) or --decimal , \(to read 60\.25\)",
    ),
}


@pytest.mark.parametrize(("texts", "decimal", "message"), WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_numbers_written_as_text(tmp_path: Path, form: str, texts: list[str], decimal: str, message: str) -> None:
    path = write(tmp_path / f"t.{form}", {"x": texts, "label": LABELS})
    (warning,) = opened(path).findings.warnings
    assert warning.startswith("numbers written as text, such as ")
    assert "--categorical x if they are names" in warning
    assert re.search(message, warning)
    data = pool(path, decimal=decimal)
    point = [text.replace(",", "") if decimal == "." else text.replace(".", "").replace(",", ".") for text in texts]
    np.testing.assert_allclose(data.examples.inputs[:, 0], [float(text.strip("$ %")) for text in point])
    assert _columns(path, decimal=decimal, categorical=("x",))["x"] is not None


def test_columns_with_the_same_remedy_are_named_in_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {f"x{i}": [f"{j},5" for j in range(N)] for i in range(7)} | {"label": LABELS})
    (warning,) = opened(path).findings.warnings
    assert "in columns 'x0', 'x1', 'x2', 'x3', 'x4' and 2 more: each is a category." in warning


@pytest.mark.parametrize("texts", [["1", "20", "300"], ["01.5", "2"], ["1,5", "x"], ["1.2.3", "4"], ["12,34", "1.5"]])
def test_other_texts_are_categories_without_a_warning(tmp_path: Path, texts: list[str]) -> None:
    values = pa.array([texts[i % len(texts)] for i in range(N)])
    assert opened(write(tmp_path / "t.parquet", {"t": values, "x": X, "label": LABELS})).findings.warnings == []


def test_numeric_reads_text_or_names_the_cell(tmp_path: Path) -> None:
    texts = [str(i % 7) for i in range(N)]
    path = write(tmp_path / "t.parquet", {"n": texts, "flag": [i % 2 == 0 for i in range(N)], "label": LABELS})
    assert _columns(path, numeric=("n", "flag")) == {"n": None, "flag": None}
    bad = write(tmp_path / "bad.parquet", {"n": [*texts[:-1], "many"], "x": X, "label": LABELS})
    (error,) = opened(bad, numeric=("n",)).findings.errors
    assert error.startswith("column 'n' holds 'many' in row 60, which is no number with the decimal mark '.': ")
    with pytest.raises(DataError, match="--categorical and --numeric both name n: name it in one of them"):
        opened(path, numeric=("n",), categorical=("n",))


@pytest.mark.process
def test_lack_of_memory_is_one_line(tmp_path: Path) -> None:
    names = [f"x{i}" for i in range(40)]
    sizes = {"large.parquet": 1_000_000, "large.csv": 100_000}  # rows, all of them 0
    large = [str(write(tmp_path / name, dict.fromkeys(names, np.zeros(rows)))) for name, rows in sizes.items()]
    small = str(write(tmp_path / "small.csv", {"x": X, "label": LABELS}))
    # The small file first, so that all threads are there: their stacks count too.
    code = textwrap.dedent(r"""
        import re, resource, sys
        from pathlib import Path
        from training.data import opening, options
        from training.errors import DataError

        opening.open_data(options.DataOptions(Path(sys.argv[1])))
        used = int(re.search(r"VmSize:\s*(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**22, resource.RLIM_INFINITY))
        for path in sys.argv[2:]:
            try:
                opening.open_data(options.DataOptions(Path(path)))
            except DataError as error:
                print(error)
    """)
    environment = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"}  # the others reserve much at the start
    command = [sys.executable, "-c", code, small, *large]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    lines = ended.stdout.splitlines()
    assert len(lines) == 2, ended.stderr
    for line, path in zip(lines, large, strict=True):
        assert line.startswith(f"there is not enough memory for {path} (")
        assert "Close other programs, give fewer rows or columns, or " in line
