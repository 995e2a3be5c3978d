"""Reads pictures that are cells of a Parquet column: the bytes of files, or structs of bytes and path."""

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from service.inference.csv_files.form import is_csv
from service.inference.readers.picture_formats import format_of
from training.data.coded import CodedColumn
from training.data.options import DataOptions
from training.data.raw import Findings, RawData
from training.data.sources import listing, table_files
from training.data.sources.picture_file import Source
from training.errors import DataError

_BATCH = 256  # cells in memory at a time besides the result
_BUFFER_BYTES = 2**20  # per read; without a buffer, whole row groups are read at once
_BYTES, _PATH = "bytes", "path"  # the fields of a picture of Hugging Face's `datasets`


def column(options: DataOptions) -> str | None:
    """The column of pictures; None if there is none. Raises DataError if there are several.

    It is a column of structs with a field `bytes`, or of bytes that begin as a picture file does.
    """
    file = table_files.files(options.path)[0]
    path = file.path
    if is_csv(path) or options.vector_column is not None:
        return None
    others = {options.label_column, *options.extra_columns, *options.ignore_columns}
    found = [
        field.name
        for field in table_files.schema(file)
        if field.name not in others
        and (_is_struct(field.type) or (_is_bytes(field.type) and _begins_as_picture(path, field.name)))
    ]
    if len(found) > 1:
        raise DataError(
            f"{path} has several columns of pictures, {', '.join(found)}: leave out all but one by --ignore-columns"
        )
    return str(found[0]) if found else None


def read(options: DataOptions, name: str, findings: Findings) -> RawData:
    """The pictures of column `name`, with their labels and split columns. Raises DataError."""
    files = [file for source in options.sources for file in table_files.files(source)]
    used = [name, options.label_column, *options.extra_columns]
    for file in files:
        if is_csv(path := file.path):
            raise DataError(
                f"{path} is a CSV file, but {options.path} holds pictures in Parquet: give Parquet files only"
            )
        names = table_files.schema(file).names
        for option, each in zip(("a column of pictures", "--label-column"), used, strict=False):
            table_files.require(names, each, option, path)
        for each in options.extra_columns:
            table_files.require(names, each, "a split, group or time column", path)
    left_out = [each for each in table_files.schema(files[0]).names if each not in {*used, *options.ignore_columns}]
    if left_out:
        findings.warnings.append(
            f"the model learns only from the pictures of column {name!r}: {', '.join(left_out)} "
            f"{'are' if len(left_out) > 1 else 'is'} left out"
        )
    joined = table_files.read_all(options.sources, options.csv, columns=used[1:])
    table = joined.table
    pictures = [cell for file in files for cell in _cells(file.path, name)]
    return listing.read(
        listing.Listing(
            f"pictures in column {name!r} of Parquet",
            pictures,
            CodedColumn.from_arrow(table[options.label_column], f"the labels, column {options.label_column!r},"),
            joined.sources,
            lambda number: f"the picture of row {number + 1}",
            {each: table[each].combine_chunks() for each in options.extra_columns},
        ),
        options,
        findings,
    )


def _is_struct(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind) and kind.get_field_index(_BYTES) >= 0 and _is_bytes(kind.field(_BYTES).type))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _begins_as_picture(path: Path, name: str) -> bool:
    first = next(_batches(path, name), None)
    return first is not None and any(format_of(cell) for cell in first.drop_null().to_pylist())


def _cells(path: Path, name: str) -> Iterator[Source]:
    """The bytes of each row, or else the path, relative to the folder of the file."""
    for array in _batches(path, name):
        if not pa.types.is_struct(array.type):
            yield from array.to_pylist()
            continue
        for cell in array.to_pylist():
            content, other = (cell or {}).get(_BYTES), (cell or {}).get(_PATH)
            yield content if content is not None or not other else os.path.join(path.parent, other)


def _batches(path: Path, name: str) -> Iterator[pa.Array]:
    try:
        with pa.parquet.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
            for batch in file.iter_batches(batch_size=_BATCH, columns=[name]):
                yield batch.column(0)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
