"""Reads CSV and Parquet files, and folders of them, into one table of pyarrow."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet
from numpy.typing import NDArray

from service.inference.csv_files import table as csv_table
from service.inference.csv_files.form import CsvOptions, is_csv
from training.errors import DataError

ENDINGS = ".csv, .tsv (also compressed: .gz, .bz2, .zst, .lz4) or .parquet"
_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file, and the columns that the folders above it state: `label=blue/part.csv`."""

    path: Path
    partition: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Joined:
    """N rows of one or several files."""

    table: pa.Table
    sources: NDArray[np.int8]  # [N], the index of the source of each row
    files: int
    form: str  # of the first file: "Parquet", or that of a CSV file in words


def is_table(path: Path) -> bool:
    """Whether a file has an ending of CSV or Parquet, in upper or lower case."""
    return is_csv(path) or path.suffix.lower() in _PARQUET


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder of tables. Its folders are partitions; others would be classes of pictures."""
    if not path.is_dir():
        return False
    folders = [entry for entry in _visible(path) if entry.is_dir()]
    return all("=" in folder.name for folder in folders) and bool(_tables(path))


def files(source: Path) -> list[TableFile]:
    """The file itself, or the tables of a folder and its partitions by name. Raises DataError if there are none."""
    if not source.is_dir():
        return [TableFile(source)]
    paths = _tables(source)
    if not paths:
        raise DataError(f"{source} has no table: put files that end with {ENDINGS} into it")
    texts = [path for path in paths if is_csv(path)]
    if 0 < len(texts) < len(paths):
        other = next(path for path in paths if not is_csv(path))
        raise DataError(
            f"{source} has CSV and Parquet files ({texts[0].name}, {other.name}), perhaps the same rows twice: keep "
            "one of the two, or name one file"
        )
    return [TableFile(path, _partition(path.relative_to(source))) for path in paths]


def schema(file: TableFile) -> pa.Schema:
    """The columns of a Parquet file, and those of its partitions, without reading a row. Raises DataError."""
    with _failures_named(file.path):
        columns = pa.parquet.read_schema(file.path)
    for name in file.partition:
        if name not in columns.names:
            columns = columns.append(pa.field(name, pa.string()))
    _check_once(columns.names, file.path)
    return columns


def read(path: Path, csv: CsvOptions, text: Sequence[str] = ()) -> pa.Table:
    """One file. Raises DataError if it is missing or not what its ending says.

    Of a CSV, the columns `text` are read as they are written: 01 stays 01.
    """
    table, _ = _read(TableFile(path), csv, text)
    _check_rows(table, path)
    return table


def read_all(
    sources: Sequence[Path], csv: CsvOptions, text: Sequence[str] = (), columns: Sequence[str] | None = None
) -> Joined:
    """Several files or folders as one table; `text` as in `read`, `columns` are those to read of Parquet files.

    Raises DataError if their columns differ.
    """
    numbered = [(number, file) for number, source in enumerate(sources) for file in files(source)]
    every = [file for _, file in numbered]
    read = [_read(file, csv, text, columns) for file in every]
    tables = [table for table, _ in read]
    _check_same_columns(every, tables)
    if some := _text_in_some(tables):
        tables = [
            _read(file, csv, [*text, *some])[0] if is_csv(file.path) else table
            for file, table in zip(every, tables, strict=True)
        ]
    try:
        joined = pa.concat_tables(
            [table.select(tables[0].column_names) for table in _alike(tables, text)], promote_options="permissive"
        )
    except pa.ArrowException as error:
        raise DataError(
            f"{', '.join(map(str, sources))} cannot be joined into one table: {str(error).splitlines()[0]}; write the "
            "column with one type in all files"
        ) from None
    origin = np.repeat(np.array([number for number, _ in numbered], dtype=np.int8), [len(table) for table in tables])
    for number, source in enumerate(sources):
        _check_rows(origin[origin == number], source)
    partitions = {name for file in every for name in file.partition}
    return Joined(_with_numbers(joined.combine_chunks(), partitions), origin, len(every), read[0][1])


def require(names: Sequence[str], name: str, option: str, path: Path) -> None:
    """Raise DataError, which lists the columns, if `name` is none of them."""
    if name not in names:
        raise DataError(f"{option} {name}: {path} has no such column; it has {', '.join(names)}")


def _read(
    file: TableFile, csv: CsvOptions, text: Sequence[str], columns: Sequence[str] | None = None
) -> tuple[pa.Table, str]:
    """A file with the columns of its partitions, and its form in words."""
    with _failures_named(file.path):
        if is_csv(file.path):
            table, form = csv_table.read(file.path, csv, text)
        else:
            inside = None if columns is None else [name for name in columns if name not in file.partition]
            table, form = pa.parquet.read_table(file.path, columns=inside, partitioning=None), "Parquet"
    for name, value in file.partition.items():
        if name not in table.column_names:
            table = table.append_column(name, pa.array([value] * len(table), pa.string()))
    _check_once(table.column_names, file.path)
    return table, form


@contextmanager
def _failures_named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except MemoryError:
        raise
    except csv_table.CsvError as error:
        raise DataError(str(error)) from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.name[0] not in "._")


def _tables(folder: Path) -> list[Path]:
    """The tables of a folder and its partitions, by name."""
    entries = _visible(folder)
    below = [path for entry in entries if entry.is_dir() and "=" in entry.name for path in _tables(entry)]
    return [entry for entry in entries if is_table(entry) and entry.is_file()] + below


def _partition(path: Path) -> dict[str, str | None]:
    """The columns that the folders of a path state, with their values as text.

    >>> _partition(Path("label=blue/fold=01/part.csv"))
    {'label': 'blue', 'fold': '01'}
    """
    names = [folder.partition("=")[0] for folder in path.parts[:-1]]
    fields = pa.schema([pa.field(name, pa.string()) for name in names])
    parsed = pa.dataset.partitioning(fields, flavor="hive").parse(path.as_posix())
    keys = pa.dataset.get_partition_keys(parsed)
    return {name: keys.get(name) for name in names}


def _with_numbers(table: pa.Table, names: Collection[str]) -> pa.Table:
    """The table, with whole numbers in those of the named columns whose texts are such."""
    for name in names:
        texts = table[name]
        if pa.types.is_string(texts.type) and pc.all(pc.match_substring_regex(texts, r"^(0|-?[1-9]\d{0,17})$")).as_py():
            table = table.set_column(table.column_names.index(name), name, texts.cast(pa.int64()))
    return table


def _check_same_columns(files: Sequence[TableFile], tables: Sequence[pa.Table]) -> None:
    for file, table in zip(files[1:], tables[1:], strict=True):
        pairs = ((file, table, files[0], tables[0]), (files[0], tables[0], file, table))
        for lacking, fewer, having, more in pairs:
            for name in more.column_names:
                if name not in fewer.column_names:
                    raise DataError(
                        f"{lacking.path} has no column {name!r}, which {having.path} has: all files of a table must "
                        "have the same columns; or name one file"
                    )


def _text_in_some(tables: Sequence[pa.Table]) -> set[str]:
    """The columns that are text in some of the tables, and something else in others."""
    kinds = {name: {table.schema.field(name).type for table in tables} for name in tables[0].column_names}
    return {name for name, types in kinds.items() if pa.string() in types and len(types - {pa.null()}) > 1}


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


def _check_rows(rows: Sized, source: Path) -> None:
    if not len(rows):
        raise DataError(f"{source} has no rows: there is nothing to learn from")


def _check_once(names: Sequence[str], path: Path) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DataError(f"{path} has more than one column {twice[0]!r}: column names must be unique")
