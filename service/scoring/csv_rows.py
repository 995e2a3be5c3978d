"""Reads a CSV file to score, as `fit` reads one: the same delimiters, encodings, compressions and numbers."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from service.contract.errors import ScoringError
from service.contract.inputs import Column, FeaturesInput, Kind
from service.contract.validation import truncated
from service.inference.csv_files import written_numbers
from service.inference.csv_files.form import CsvOptions
from service.inference.csv_files.table import CsvError, read


def read_rows(path: Path, options: CsvOptions, kind: Kind) -> pa.Table:
    """All rows, in memory: categories of the model as they are written, its numbers as numbers.

    Raises ScoringError, and OSError if there is no such file.
    """
    columns = kind.columns or [] if isinstance(kind, FeaturesInput) else []
    try:
        table, _ = read(path, options, [column.name for column in columns if column.categories is not None])
    except CsvError as error:
        raise ScoringError(str(error)) from None
    except MemoryError:
        raise ScoringError(
            f"there is not enough memory for {path}: a CSV file is read as a whole. Split it, or store it as Parquet"
        ) from None
    for column in columns:
        if column.name not in table.column_names:
            continue  # an error of its own
        texts = table[column.name].combine_chunks()
        if pa.types.is_string(texts.type):
            values = (
                _missing_as_null(texts) if column.categories is not None else _numbers(texts, column, options, path)
            )
            table = table.set_column(table.column_names.index(column.name), column.name, values)
    return table


def _missing_as_null(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts)


def _numbers(texts: pa.Array, column: Column, options: CsvOptions, path: Path) -> pa.Array:
    """Numbers that are written as text, if --decimal says how to read them; else the texts."""
    if options.decimal is not None and written_numbers.first_other(texts, options.decimal) is None:
        return written_numbers.numbers(texts, options.decimal)
    distinct = texts.unique().to_pylist()
    if ways := written_numbers.ways(distinct):
        raise ScoringError(
            f"{path}: column {truncated(column.name)!r} has numbers written as text, such as "
            f"{truncated(max(distinct, key=len))!r}: give {' or '.join(f'--decimal {mark}' for mark in ways)}"
        )
    return texts
