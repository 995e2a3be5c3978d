"""Invalid input: one line that names file, row, column, value and rule, exit status 1, and no partial output."""

import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from service.__main__ import main
from tests.service.pictures import blank
from tests.service.scoring.files import Columns, command, embeddings, fixed_size_list, score, start, write

GOOD = fixed_size_list(embeddings(4))
RULE = "it must be a finite number in the range of float32, and none may be missing"
EMBEDDING = "an embedding is a list of 2 numbers, or a fixed_size_binary of 8 bytes, float32"
SIX = embeddings(6).tolist()


def _with(row: int, value: Any) -> list[Any]:
    rows: list[Any] = list(SIX)
    rows[row] = value
    return rows


COLUMNS: dict[str, tuple[Columns, str]] = {
    "NaN": ({"x": _with(5, [0.5, float("nan")])}, f"row 5: x[1] is nan: {RULE}"),
    "infinity": ({"x": _with(1, [float("-inf"), 0])}, f"row 1: x[0] is -inf: {RULE}"),
    "past float32": ({"x": _with(0, [1e300, 0])}, f"row 0: x[0] is 1e+300: {RULE}"),
    "null in a list": ({"x": _with(4, [None, 0.5])}, f"row 4: x[0] is nan: {RULE}"),
    "null": ({"x": _with(3, None)}, f"row 3: x is null: {EMBEDDING}"),
    "too short": ({"x": _with(2, [0.5])}, "row 2: x has 1 values: a row has 2"),
    "too long": ({"x": _with(2, [0.5] * 3)}, "row 2: x has 3 values: a row has 2"),
    "booleans": ({"x": [[True, False]]}, f"no column fits the model; {EMBEDDING}; there are x (list<"),
    "two that fit": (
        {"x": GOOD, "y": GOOD},
        f"more than one column fits, x, y: choose one with --column; {EMBEDDING}; there are x",
    ),
    "another width": ({"x": pa.array([[1.0]], pa.list_(pa.float32(), 1))}, "no column fits the model"),
}
TABLE: dict[str, tuple[Columns, str]] = {
    "NaN": ({"age": [1.0, np.nan], "sex": ["f", "m"], "mass": [1, 2]}, f"row 1: age is nan: {RULE}"),
    "null": ({"age": [1, None], "sex": ["f", "m"], "mass": [1, 2]}, f"row 1: age is nan: {RULE}"),
    "no category": (
        {"age": [1, 2], "sex": ["f", None], "mass": [1, 2]},
        "row 1: sex is null: none may be missing; its categories are f, m",
    ),
    "no column": ({"age": [1], "sex": ["f"]}, "there is no column 'mass', which the model reads"),
    "strings": ({"age": ["1"], "sex": ["f"], "mass": [1]}, "column 'age' is of type string: it must hold numbers"),
    "lists": ({"age": [1], "sex": [["f"]], "mass": [1]}, "column 'sex' is of type list<"),
}
PICTURES: dict[str, tuple[Any, str]] = {
    "another size": (blank(), "row 1: x is an image of 28x28 pixels, mode L: it must be 2x1 grey (mode L)"),
    "no picture": (b"nonsense", "row 1: x holds 8 bytes: it must be a picture file (PNG, JPEG, WebP"),
    "cut short": (blank(size=(2, 1))[:40], "row 1: x is not a readable PNG: "),
    "null": (None, "row 1: x is null: a picture is bytes, a picture file or 2 pixels, or a list of 2 uint8"),
}


def _assert_refused(model: Path, file: Path, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = file.with_name("out.parquet")
    assert score(model, file, out, "--batch-size", "2") == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"demur: {file}: {expected}"), printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert not out.exists()


@pytest.mark.parametrize("case", COLUMNS)
def test_embeddings(tmp_path: Path, embedding_model: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    columns, expected = COLUMNS[case]
    _assert_refused(embedding_model, write(tmp_path / "in.parquet", columns), expected, capsys)


@pytest.mark.parametrize("case", TABLE)
def test_tables(tmp_path: Path, table_model: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    columns, expected = TABLE[case]
    _assert_refused(table_model, write(tmp_path / "in.parquet", columns), expected, capsys)


@pytest.mark.parametrize("case", PICTURES)
def test_pictures(tmp_path: Path, tiny_model: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    value, expected = PICTURES[case]
    file = write(tmp_path / "in.parquet", {"x": pa.array([b"\x00\xff", value], pa.binary())})
    _assert_refused(tiny_model, file, expected, capsys)


def test_invalid_files(tmp_path: Path, embedding_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound, out, folder = write(tmp_path / "in.parquet", {"x": GOOD}), tmp_path / "out.parquet", tmp_path / "folder"
    folder.mkdir()
    text = tmp_path / "text.parquet"
    text.write_text("nonsense")
    empty = write(tmp_path / "empty.parquet", {"x": GOOD[:0]})
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(sound.read_bytes()[:20] + bytes(200) + sound.read_bytes()[220:])
    cases = [
        (tmp_path / "nothing.parquet", out, f"{tmp_path / 'nothing.parquet'} does not exist"),
        (text, out, f"{text} cannot be read: Parquet magic bytes not found"),
        (broken, out, f"{broken} cannot be read: "),
        (empty, out, f"{empty} has no rows"),
        (folder, out, f"{folder} contains no *.parquet file"),
        (sound, folder, f"{folder} is a folder but {sound} is a file: name a file"),
        (folder, sound, f"{sound} is a file but {folder} is a folder: name a folder"),
        (sound, text / "out.parquet", f"cannot write {text / 'out.parquet.parts'}: "),
    ]
    for source, target, expected in cases:
        assert score(embedding_model, source, target) == 1
        message = capsys.readouterr().err
        assert message.startswith(f"demur: {expected}"), message
        assert message.count("\n") == 1
    assert not out.exists()


def test_output_that_would_be_lost(tmp_path: Path, embedding_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, model, hard, fifo = (tmp_path / name for name in ("in.parquet", "model.onnx", "hard.parquet", "fifo"))
    write(rows, {"x": GOOD})
    model.write_bytes(embedding_model.read_bytes())
    hard.hardlink_to(rows)
    os.mkfifo(fifo)
    (tmp_path / "again").symlink_to(tmp_path)
    before = {path: path.read_bytes() for path in (rows, model)}
    cases = [
        (rows, rows, f"OUTPUT {rows} is the same file as INPUT {rows}, which would be lost: name another"),
        (rows, hard, f"OUTPUT {hard} is the same file as INPUT {rows}, which would be lost: name another"),
        (tmp_path, tmp_path / "again", f"OUTPUT {tmp_path / 'again' / hard.name} is the same file as INPUT {hard}"),
        (rows, model, f"OUTPUT {model} is the same file as --model {model}, which would be lost: name another"),
        (rows, fifo, f"cannot write {fifo}: it is a fifo; name a regular file, or a new one"),
    ]
    for source, target, expected in cases:
        assert score(model, source, target, "--overwrite") == 2
        assert capsys.readouterr().err.startswith(f"demur: {expected}")
    assert {path: path.read_bytes() for path in before} == before
    assert fifo.is_fifo()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--selective-risk", "0.05"], "--selective-risk=0.05 is not certified by this model; certified: 0.1; "),
        (["--reject-cost", "0.05"], "--reject-cost=0.05 is not certified by this model; certified: 0.2; "),
        (["--column", "y"], "{file}: --column y: no such column; there are id (int64), x (fixed_"),
        (["--column", "id"], "{file}: --column id is of type int64: an embedding is a list of 2 numbers"),
        (["--resize"], "{file}: --resize is for pictures: this model takes rows of numbers"),
        (["--model", "nothing.onnx"], "cannot read the model nothing.onnx: No such file or directory"),
    ],
)
def test_options(
    tmp_path: Path, embedding_model: Path, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "in.parquet", {"id": [1, 2, 3, 4], "x": GOOD})
    assert score(embedding_model, file, tmp_path / "out.parquet", *arguments) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"demur: {expected.format(file=file)}"), message
    assert message.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--threads", "0"],
        ["--batch-size", "x"],
        ["--threshold", "2"],
        ["--selective-risk", "1"],
        ["--reject-cost", "0"],
    ],
)
def test_invalid_option_values(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["score", "in.parquet", "out.parquet", *arguments])
    assert f"argument {arguments[0]}: {arguments[1]!r} is not a" in capsys.readouterr().err


def test_columns_of_a_table_are_the_models(
    tmp_path: Path, table_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "in.parquet", {"age": [1], "sex": ["f"], "mass": [1]})
    assert score(table_model, file, tmp_path / "out.parquet", "--column", "age") == 1
    assert f"{file}: --column age: this model reads the columns age, sex, mass" in capsys.readouterr().err


def test_full_disk(tmp_path: Path, embedding_model: Path) -> None:
    file = write(tmp_path / "in.parquet", {"id": list(range(20_000)), "x": fixed_size_list(embeddings(20_000))})
    out = tmp_path / "out.parquet"
    # A limit on the size of files takes the same error path as a full disk.
    unmeasured = ["env", "--unset=COVERAGE_PROCESS_CONFIG"]  # coverage writes a file too
    limited = start(
        [*unmeasured, *command(embedding_model, file, out)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999)),
    )
    _, message = limited.communicate(timeout=60)
    assert limited.returncode == 1
    assert message == f"demur: cannot write {out}: File too large\n"
    assert {path.name for path in (tmp_path / "out.parquet.parts").iterdir()} == {"job.json", "lock"}
    assert score(embedding_model, file, out) == 0
