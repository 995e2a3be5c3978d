"""CSV files are scored as they are trained on: in any dialect, with the answers of the same rows in Parquet."""

import gzip
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.service.scoring.files import score, write

PARQUET = {"id": [7, 8, 9], "age": [40.0, 1050.5, 41.0], "sex": ["f", "m", "w"], "mass": [70.0, 70.0, 80.5]}
PLAIN = "id,age,sex,mass\n7,40,f,70\n8,1050.5,m,70\n9,41,w,80.5\n"
FORMS: dict[str, tuple[str, bytes, list[str]]] = {
    "commas": ("rows.csv", PLAIN.encode(), []),
    "tabs": ("ROWS.TSV", PLAIN.replace(",", "\t").encode(), []),
    "gzip": ("rows.csv.gz", gzip.compress(PLAIN.encode("utf-16")), []),
    "decimal comma": ("rows.csv", PLAIN.replace(",", ";").replace(".", ",").encode(), ["--decimal", ","]),
    "thousands": (
        "rows.csv",
        "id;age;sex;mass\n7;40;f;70 %\n8;1.050,5;m;70 %\n9;41;w;80,5\N{NO-BREAK SPACE}%\n".encode(),
        ["--decimal", ","],
    ),
    "Latin-1": ("rows.csv", PLAIN.replace("id", "größe").encode("latin-1"), ["--encoding", "latin-1"]),
}


@pytest.mark.parametrize(("name", "content", "options"), FORMS.values(), ids=FORMS)
def test_csv_has_the_answers_of_parquet(
    tmp_path: Path, table_model: Path, name: str, content: bytes, options: list[str]
) -> None:
    assert score(table_model, write(tmp_path / "in.parquet", PARQUET), tmp_path / "a.parquet", "--probabilities") == 0
    (tmp_path / name).write_bytes(content)
    assert score(table_model, tmp_path / name, tmp_path / "b.parquet", "--probabilities", *options) == 0
    expected, found = (pq.read_table(tmp_path / file) for file in ("a.parquet", "b.parquet"))
    assert found.drop(found.column_names[:1]).to_pydict() == expected.drop("id").to_pydict()
    assert found.column(0).to_pylist() == [7, 8, 9]


def test_long_csv_and_folder(tmp_path: Path, table_model: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "long.csv.gz").write_bytes(gzip.compress(b"age,sex,mass\n" + b"40,f,70\n50,m,60\n" * 150_000))
    write(tmp_path / "in" / "short.parquet", PARQUET)
    assert score(table_model, tmp_path / "in", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["long.parquet", "short.parquet"]
    labels = pq.read_table(tmp_path / "out" / "long.parquet")["label"].to_pylist()
    assert len(labels) == 300_000
    assert labels == labels[:2] * 150_000


WRONG = {
    "missing category": ("age,sex,mass\n1,,2\n", "row 0: sex is null: none may be missing"),
    "numbers as text": ('age,sex,mass\n"1,5",f,2\n', "column 'age' has numbers written as text, .*: give --decimal ,"),
    "no numbers": ("age,sex,mass\nold,f,2\n", "column 'age' is of type string: it must hold numbers"),
    "encoding": ("age,sex,mass,größe\n1,f,2,3\n", "is not UTF-8: byte 15, .* give --encoding latin-1"),
    "no rows": ("age,sex,mass\n", "has no rows"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_unfit_csv_is_reported_in_one_line(
    tmp_path: Path, table_model: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "rows.csv").write_text(text, "latin-1")
    assert score(table_model, tmp_path / "rows.csv", tmp_path / "out.parquet") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line)
    assert not (tmp_path / "out.parquet").exists()


def test_answers_are_parquet(tmp_path: Path, table_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.csv").write_text(PLAIN)
    assert score(table_model, tmp_path / "rows.csv", tmp_path / "out.csv") == 1
    assert (
        "out.csv would hold Parquet, in which answers are written: let it end with .parquet" in capsys.readouterr().err
    )
