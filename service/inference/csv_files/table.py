"""Reads one CSV file into a table of pyarrow, and says in one line why it cannot be read."""

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from service.contract.errors import DemurError
from service.inference.csv_files.form import CsvForm, CsvOptions, compression, marked_encoding

_HEAD_BYTES = 2**16  # in which the form is found
_LARGEST_BLOCK = 2**31 - 1
_ANY_END = re.compile(r"[,;\t|\r\n]")  # of a cell
_OTHER_FILES = {
    b"\x1f\x8b": "gzip: let its name end with .gz",
    b"PK\x03\x04": "a workbook of Excel or a ZIP archive: save it as CSV, or unpack it",
    b"PAR1": "Parquet: let its name end with .parquet",
}


class CsvError(DemurError):
    """A CSV file that cannot be read; the text names the file and the way out."""


def read(path: Path, options: CsvOptions, as_text: Collection[str] = ()) -> tuple[pa.Table, str]:
    """The table, and its form in words; the columns `as_text` are strings as they are written.

    Raises CsvError, and OSError if there is no such file.
    """
    content = _content(path)
    encoding = options.encoding or marked_encoding(content[:4].to_pybytes()) or "utf-8"
    text = _as_utf8(content, encoding, path)
    head = text[:_HEAD_BYTES].to_pybytes().decode("utf-8-sig", "ignore")
    if len(text) > _HEAD_BYTES:
        head = head[: head.rfind("\n") + 1] or head
    form = CsvForm.of(head, options.delimiter)
    table = _parsed(text, form, options, as_text, path)
    return table, ", ".join(
        filter(None, (f"CSV delimited by {form.delimiter_name}", encoding.upper(), compression(path)))
    )


def _content(path: Path) -> pa.Buffer:
    """The bytes of a file, unpacked."""
    try:
        with pa.input_stream(str(path), compression=compression(path)) as stream:
            content = stream.read_buffer()
    except (FileNotFoundError, MemoryError):
        raise
    except (OSError, pa.ArrowException) as error:
        raise CsvError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    if not len(content):
        raise CsvError(f"{path} is empty: give a file with a header and rows")
    for start, what in _OTHER_FILES.items():
        if content[: len(start)].to_pybytes() == start:
            raise CsvError(f"{path} is no CSV file but {what}")
    return content


def _as_utf8(content: pa.Buffer, encoding: str, path: Path) -> pa.Buffer:
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        try:
            return pa.py_buffer(str(memoryview(content), encoding).encode())
        except UnicodeError as error:
            raise CsvError(f"{path} is not {encoding}: {error}; give another --encoding") from None
    if b"\0" in content[:_HEAD_BYTES].to_pybytes():
        raise CsvError(f"{path} holds zero bytes: if it is text in UTF-16, give --encoding utf-16-le or utf-16-be")
    offsets = pa.py_buffer(np.array([0, len(content)], dtype=np.int64))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, content]).validate(full=True)
    except pa.ArrowInvalid:
        raise CsvError(f"{path} {_first_bad_byte(content.to_pybytes())}") from None
    return content


def _first_bad_byte(content: bytes) -> str:
    """Why bytes are not UTF-8.

    >>> _first_bad_byte("a;b\\nblau;grün\\n".encode("latin-1"))
    "is not UTF-8: byte 11, in line 2, is 0xFC. If the cell there is 'grün', give --encoding latin-1, or cp1252 if \
Excel on Windows wrote it"
    """
    try:
        content.decode()
    except UnicodeDecodeError as error:
        at = error.start
    before, after = (part.decode("latin-1") for part in (content[max(0, at - 40) : at], content[at : at + 40]))
    cell = _ANY_END.split(before)[-1] + _ANY_END.split(after)[0]
    return (
        f"is not UTF-8: byte {at}, in line {content.count(10, 0, at) + 1}, is 0x{content[at]:02X}. If the cell there "
        f"is {cell!r}, give --encoding latin-1, or cp1252 if Excel on Windows wrote it"
    )


def _parsed(text: pa.Buffer, form: CsvForm, options: CsvOptions, as_text: Collection[str], path: Path) -> pa.Table:
    parse = pa.csv.ParseOptions(delimiter=form.delimiter)
    convert = pa.csv.ConvertOptions(
        decimal_point=options.decimal or ".",
        column_types={name: pa.string() for name in as_text if name in form.names},
    )

    def parsed(*, threads: bool) -> pa.Table:
        # One block: pyarrow infers the types of the columns from the first block, and fails at others that differ.
        size = min(len(text) + 1, _LARGEST_BLOCK)
        reading = pa.csv.ReadOptions(
            use_threads=threads, block_size=size, column_names=form.names, skip_rows=form.lines
        )
        return pa.csv.read_csv(pa.BufferReader(text), reading, parse, convert)

    try:
        return parsed(threads=True)
    except pa.ArrowInvalid as error:
        if any(reason in str(error) for reason in ("Empty CSV file", "Could not skip")):  # a header alone
            return pa.table({name: pa.nulls(0) for name in form.names})
    try:
        return parsed(threads=False)  # with one thread pyarrow names the row
    except pa.ArrowInvalid as error:
        raise CsvError(
            f"{path} cannot be read: {str(error).splitlines()[0]}. The delimiter is {form.delimiter!r}: repair the "
            "row, or name another by --delimiter"
        ) from None
