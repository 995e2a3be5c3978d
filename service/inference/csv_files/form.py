"""The form of a CSV file: ending, encoding, delimiter and names of columns. What no option says is found.

Imports nothing heavy, so that both command lines can share the options.
"""

import argparse
import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Decimal = Literal[".", ","]

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_NAMED = {"tab": "\t", "\\t": "\t"}  # a tab is hard to type
_ENDINGS = (".csv", ".tsv")
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
# The longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_DELIMITER_LINE = re.compile(r"sep=(.)\r?\n")  # Excel writes and reads it
UNNAMED = re.compile(r"Unnamed: \d+(\.1)*")


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """What the user says about CSV files; None: it is found."""

    delimiter: str | None = None  # a character, or "tab"
    encoding: str | None = None
    decimal: Decimal | None = None  # the mark in numbers; None: a point, and text is left as text


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How to parse one file."""

    delimiter: str
    names: tuple[str, ...]  # of the columns; an unnamed one is called as pandas calls it, "Unnamed: 0"
    lines: int  # before the first row

    @property
    def delimiter_name(self) -> str:
        """The delimiter in words."""
        return DELIMITERS.get(self.delimiter, repr(self.delimiter))

    @classmethod
    def of(cls, head: str, delimiter: str | None) -> "CsvForm":
        r"""The form of a file that begins with `head`, complete lines.

        >>> CsvForm.of("a;b\n1,5;2\n", None)
        CsvForm(delimiter=';', names=('a', 'b'), lines=1)
        """
        stated = _DELIMITER_LINE.match(head)
        skipped = stated.end() if stated else 0
        delimiter = _NAMED.get(delimiter or "", delimiter) or (stated[1] if stated else _delimiter(head))
        header, lines, rows = _parsed(head[skipped:], delimiter)
        return cls(delimiter, _names(header, rows), lines + (1 if stated else 0))


def add_options(group: argparse._ArgumentGroup) -> None:
    """Add the options of CSV files to a command. None is the default of each."""
    group.add_argument(
        "--delimiter",
        type=_one_character,
        metavar="CHARACTER",
        help="between the cells of a CSV file, such as ';' or tab (found among , ; tab |)",
    )
    group.add_argument(
        "--encoding", type=_encoding, metavar="NAME", help="of a CSV file, such as latin-1 (UTF-8, or that of its mark)"
    )
    group.add_argument(
        "--decimal",
        choices=[".", ","],
        help="the decimal mark; also reads numbers written as text, with thousands separators or %% (34%% is 34)",
    )


def is_csv(path: Path) -> bool:
    """Whether a file has an ending of CSV, in upper or lower case, compressed or not.

    >>> is_csv(Path("a.CSV")), is_csv(Path("a.tsv.gz")), is_csv(Path("a.txt"))
    (True, True, False)
    """
    return uncompressed(path).suffix.lower() in _ENDINGS


def compression(path: Path) -> str | None:
    """The compression that a file's ending names, as pyarrow calls it."""
    return _COMPRESSIONS.get(path.suffix.lower())


def uncompressed(path: Path) -> Path:
    """The path without the ending of a compression.

    >>> str(uncompressed(Path("rows.csv.GZ")))
    'rows.csv'
    """
    return path.with_suffix("") if compression(path) else path


def marked_encoding(start: bytes) -> str | None:
    """The encoding that a byte order mark states."""
    return next((encoding for mark, encoding in _MARKS.items() if start.startswith(mark)), None)


def _delimiter(head: str) -> str:
    """The delimiter that gives the header and the first rows the same number of cells, and the most of them."""

    def fit(delimiter: str) -> tuple[bool, float, int]:
        header, _, rows = _parsed(head, delimiter)
        agreeing = sum(len(row) == len(header) for row in rows)
        return len(header) > 1, agreeing / len(rows) if rows else 1.0, len(header)

    return max(DELIMITERS, key=fit)  # the first of equals


def _parsed(head: str, delimiter: str) -> tuple[list[str], int, list[list[str]]]:
    """The header, the number of lines up to its end, and the rows. Empty lines are no rows."""
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    header: list[str] = next((row for row in reader if row), [])
    lines = reader.line_num
    return header, lines, [row for row in reader if row]


def _names(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The names of the columns. Where each row has one cell more than the header, that cell has no name.

    >>> _names(["a", "b"], [["1", "2", ""]]), _names(["a", "b"], [["r1", "1", "2"]])
    (('a', 'b', 'Unnamed: 2'), ('Unnamed: 0', 'a', 'b'))
    """
    names = [name.strip() for name in header]
    if rows and all(len(row) == len(names) + 1 for row in rows):  # a delimiter at each end, or row names, as R writes
        names = [*names, ""] if not any(row[-1] for row in rows) else ["", *names]
    for i, name in enumerate(names):
        if not name:
            unnamed = f"Unnamed: {i}"
            while unnamed in names:
                unnamed += ".1"
            names[i] = unnamed
    return tuple(names)


def _one_character(text: str) -> str:
    """A character of ASCII, or the word "tab"."""
    if text not in _NAMED and (len(text) != 1 or not text.isascii() or text in '\r\n"'):
        raise argparse.ArgumentTypeError(f"{text!r} is not one character of ASCII, or tab")
    return text


def _encoding(text: str) -> str:
    """An encoding of text that Python knows."""
    try:
        "".encode(text)
    except LookupError:
        raise argparse.ArgumentTypeError(f"{text!r} is no encoding of text, such as latin-1 or utf-16") from None
    return text
