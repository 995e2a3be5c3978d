"""Reads CSV and Parquet files into one table of pyarrow."""

from collections import Counter
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from training.errors import DataError

_PARQUET = (".parquet", ".pq")
SUFFIXES = (".csv", *_PARQUET)
_LARGEST_BLOCK = 2**31 - 1


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder with Parquet files and without folders, which would be classes of pictures."""
    if not path.is_dir():
        return False
    entries = [entry for entry in path.iterdir() if entry.name[0] not in "._"]
    return any(_is_parquet(entry) for entry in entries) and not any(entry.is_dir() for entry in entries)


def files(source: Path) -> list[Path]:
    """The file itself, or the Parquet files of a folder by name. Raises DataError if there are none."""
    if not source.is_dir():
        return [source]
    paths = sorted(entry for entry in source.iterdir() if entry.name[0] not in "._" and _is_parquet(entry))
    if not paths:
        raise DataError(f"{source} has no Parquet file: put .parquet or .pq files into it")
    return paths


def schema(path: Path) -> pa.Schema:
    """The columns of a Parquet file, without reading a row. Raises DataError."""
    with _failures_named(path):
        columns = pa.parquet.read_schema(path)
    _check_once(columns.names, path)
    return columns


def read(path: Path, columns: Sequence[str] | None = None, text: Sequence[str] = ()) -> pa.Table:
    """The table, or some columns of it. Raises DataError if the file is missing or not what its ending says.

    Of a CSV, the columns `text` are read as they are written: 01 stays 01.
    """
    table = _read(path, columns, text)
    _check_rows(table, path)
    return table


def read_all(
    sources: Sequence[Path], columns: Sequence[str] | None = None, text: Sequence[str] = ()
) -> tuple[pa.Table, NDArray[np.int8]]:
    """Several files or folders as one table, and the index of the source of each row; `text` as in `read`.

    Raises DataError if their columns differ.
    """
    paths = [(number, path) for number, source in enumerate(sources) for path in files(source)]
    tables = [_read(path, columns, text) for _, path in paths]
    for (_, path), table in zip(paths[1:], tables[1:], strict=True):
        if differing := set(table.column_names) ^ set(tables[0].column_names):
            raise DataError(
                f"{path} and {paths[0][1]} do not have the same columns: {sorted(differing)[0]!r} is in only one"
            )
    try:
        joined = pa.concat_tables(
            [table.select(tables[0].column_names) for table in _alike(tables, text)], promote_options="permissive"
        )
    except pa.ArrowException as error:
        raise DataError(
            f"{', '.join(map(str, sources))} cannot be joined into one table: {str(error).splitlines()[0]}"
        ) from None
    origin = np.repeat(np.array([number for number, _ in paths], dtype=np.int8), [len(table) for table in tables])
    for number, source in enumerate(sources):
        _check_rows(origin[origin == number], source)
    return joined.combine_chunks(), origin


def require(names: Sequence[str], name: str, option: str, path: Path) -> None:
    """Raise DataError, which lists the columns, if `name` is none of them."""
    if name not in names:
        raise DataError(f"{option} {name}: {path} has no such column; it has {', '.join(names)}")


def _alike(tables: list[pa.Table], text: Sequence[str]) -> list[pa.Table]:
    """The same tables, with each column of `text` as strings in all if it is in one: CSV and Parquet may be joined."""
    for name in set(text) & set(tables[0].column_names):
        if any(pa.types.is_string(table.schema.field(name).type) for table in tables):
            tables = [_with_text(table, name) for table in tables]
    return tables


def _with_text(table: pa.Table, name: str) -> pa.Table:
    kind = table.schema.field(name).type
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_floating(kind)):
        return table
    return table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))


def _read(path: Path, columns: Sequence[str] | None, text: Sequence[str]) -> pa.Table:
    with _failures_named(path):
        table = _read_csv(path, text) if path.suffix == ".csv" else pa.parquet.read_table(path, columns=columns)
    _check_once(table.column_names, path)
    return table


@contextmanager
def _failures_named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None


def _is_parquet(path: Path) -> bool:
    return path.suffix in _PARQUET and path.is_file()


def _check_rows(rows: Sized, source: Path) -> None:
    if not len(rows):
        raise DataError(f"{source} has no rows: there is nothing to learn from")


def _check_once(names: Sequence[str], path: Path) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DataError(f"{path} has more than one column {twice[0]!r}: column names must be unique")


def _read_csv(path: Path, text: Sequence[str]) -> pa.Table:
    # One block: pyarrow infers the types of the columns from the first block, and fails at others that differ.
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"{path} is empty: there is nothing to learn from")
    return pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(block_size=min(size + 1, _LARGEST_BLOCK)),
        convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(text, pa.string())),
    )
