"""CSV files as people have them: the form is found, or one line says what to give."""

import bz2
import gzip
from pathlib import Path
from typing import Any

import pytest

from service.inference.csv_files.form import CsvOptions
from service.inference.csv_files.table import CsvError, read

ROWS = [{"size": 1.5, "name": "grün"}, {"size": 2.5, "name": "a,b"}, {"size": -3.0, "name": "rot"}]
PLAIN = 'size,name\n1.5,grün\n2.5,"a,b"\n-3,rot\n'
SEMICOLONS = "size;name\n1,5;grün\n2,5;a,b\n-3;rot\n"

FORMS: dict[str, tuple[str, bytes, dict[str, Any], str]] = {
    "commas": ("t.csv", PLAIN.encode(), {}, "CSV delimited by commas, UTF-8"),
    "upper case": ("T.CSV", PLAIN.encode(), {}, "CSV delimited by commas, UTF-8"),
    "mark": ("t.csv", PLAIN.encode("utf-8-sig"), {}, "CSV delimited by commas, UTF-8"),
    "UTF-16": ("t.csv", PLAIN.encode("utf-16"), {}, "CSV delimited by commas, UTF-16"),
    "Latin-1": ("t.csv", PLAIN.encode("latin-1"), {"encoding": "latin-1"}, "CSV delimited by commas, LATIN-1"),
    "gzip": ("t.csv.gz", gzip.compress(PLAIN.encode()), {}, "CSV delimited by commas, UTF-8, gzip"),
    "bzip2": ("t.CSV.BZ2", bz2.compress(PLAIN.encode()), {}, "CSV delimited by commas, UTF-8, bz2"),
    "semicolons": ("t.csv", SEMICOLONS.encode(), {"decimal": ","}, "CSV delimited by semicolons, UTF-8"),
    "Excel": ("t.csv", f"sep=;\r\n{SEMICOLONS}".encode(), {"decimal": ","}, "CSV delimited by semicolons, UTF-8"),
    "tabs": ("t.tsv", "size\tname\n1.5\tgrün\n2.5\ta,b\n-3\trot".encode(), {}, "CSV delimited by tabs, UTF-8"),
    "bars": ("t.csv", "size|name\n1.5|grün\n2.5|a,b\n-3|rot\n".encode(), {}, "CSV delimited by bars, UTF-8"),
    "other": (
        "t.csv",
        "size^name\n1.5^grün\n2.5^a,b\n-3^rot\n".encode(),
        {"delimiter": "^"},
        "CSV delimited by '^', UTF-8",
    ),
    "spaces": (
        "t.csv",
        '\n size , name\n\n1.5 ,grün\n 2.5,"a,b"\n-3,rot\n'.encode(),
        {},
        "CSV delimited by commas, UTF-8",
    ),
}


def _written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("name", "content", "options", "words"), FORMS.values(), ids=FORMS)
def test_form_is_found(tmp_path: Path, name: str, content: bytes, options: dict[str, Any], words: str) -> None:
    table, form = read(_written(tmp_path, name, content), CsvOptions(**options))
    assert table.to_pylist() == ROWS
    assert form == words


UNNAMED = {
    "index of pandas": (",a\n0,1\n1,2\n", ["Unnamed: 0", "a"]),
    "index of pandas, twice": (",Unnamed: 0,a\n0,0,1\n", ["Unnamed: 0.1", "Unnamed: 0", "a"]),
    "row names of R": ("a,b\nr1,1,2\nr2,3,4\n", ["Unnamed: 0", "a", "b"]),
    "delimiter at each end": ("a,b,\n1,2,\n", ["a", "b", "Unnamed: 2"]),
    "delimiter at the end of rows": ("a,b\n1,2,\n3,4,\n", ["a", "b", "Unnamed: 2"]),
}


@pytest.mark.parametrize(("text", "names"), UNNAMED.values(), ids=UNNAMED)
def test_unnamed_columns_have_the_names_that_pandas_gives_them(tmp_path: Path, text: str, names: list[str]) -> None:
    table, _ = read(_written(tmp_path, "t.csv", text.encode()), CsvOptions())
    assert table.column_names == names


def test_form_is_that_of_a_file_longer_than_its_head(tmp_path: Path) -> None:
    text = "a;b\n" + "1;x, y\n" * 20_000 + "2.5;grün\n"
    table, _ = read(_written(tmp_path, "t.csv", text.encode()), CsvOptions())
    assert (table.num_rows, table["a"][-1].as_py(), table["b"][-1].as_py()) == (20_001, 2.5, "grün")


def test_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    assert read(_written(tmp_path, "t.csv", b"a,b"), CsvOptions())[0].to_pydict() == {"a": [], "b": []}


WRONG: dict[str, tuple[str, bytes, dict[str, Any], str]] = {
    "not UTF-8": (
        "t.csv",
        PLAIN.encode("latin-1"),
        {},
        r"t\.csv is not UTF-8: byte 16, in line 2, is 0xFC. If the cell there is 'grün', give --encoding latin-1",
    ),
    "bad header": ("t.csv", "größe,b\n1,2\n".encode("cp1252"), {}, "byte 2, in line 1, is 0xF6. If .* 'größe'"),
    "no mark": ("t.csv", PLAIN.encode("utf-16-le"), {}, "zero bytes: .* give --encoding utf-16-le"),
    "other encoding": ("t.csv", PLAIN.encode(), {"encoding": "ascii"}, "is not ascii: .* give another --encoding"),
    "ragged": ("t.csv", b"a,b\n1,2\n3\n", {}, "Row #3: Expected 2 columns, got 1: 3. The delimiter is ',': repair"),
    "gzip without its ending": ("t.csv", gzip.compress(b"a,b\n"), {}, r"is no CSV file but gzip: .* end with \.gz"),
    "workbook": ("t.csv", b"PK\x03\x04", {}, "a workbook of Excel or a ZIP archive: save it as CSV"),
    "not gzip": ("t.csv.gz", b"a,b\n1,2\n", {}, r"t\.csv\.gz cannot be read: "),
    "empty": ("t.csv", b"", {}, r"t\.csv is empty"),
}


@pytest.mark.parametrize(("name", "content", "options", "message"), WRONG.values(), ids=WRONG)
def test_unreadable_file_is_named_with_the_way_out(
    tmp_path: Path, name: str, content: bytes, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(CsvError, match=message) as caught:
        read(_written(tmp_path, name, content), CsvOptions(**options))
    assert "\n" not in str(caught.value)
