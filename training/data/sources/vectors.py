"""Reads embeddings from Parquet: a column of vectors beside one of labels, copied once into a memory map.

Rows of Parquet cannot be read in random order, so the vectors are copied to a temporary file. The file has no name, so
its disk space is freed when the process ends, for any reason.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
from numpy.typing import NDArray

from service.contract.inputs import FeaturesInput
from service.inference.csv_files.form import is_csv
from training.data.coded import CodedColumn
from training.data.options import DataOptions
from training.data.raw import Findings, RawData
from training.data.sources import table_files
from training.data.sources.table_files import TableFile
from training.errors import DataError

_BATCH_BYTES = 2**22  # of vectors in memory at a time
_BUFFER_BYTES = 2**20  # per read; without a buffer, whole row groups are read at once
_BYTES = np.dtype("<f4")  # the numbers of a vector that is stored as bytes


def column(options: DataOptions) -> str | None:
    """The column of vectors: the one of --vector-column, or the only one; None if this is a table of other columns.

    Bytes may also be an identifier: a column of bytes that is not named is taken for vectors only if there is nothing
    else to learn from. Raises DataError.
    """
    if options.columns is not None:
        return None
    file = table_files.files(options.path)[0]
    path = file.path
    if is_csv(path):
        if options.vector_column is not None:
            raise DataError(f"--vector-column does not apply to a CSV file ({path}): leave it out")
        return None
    schema = table_files.schema(file)
    if options.vector_column is not None:
        table_files.require(schema.names, options.vector_column, "--vector-column", path)
        _check_kind(schema.field(options.vector_column), path)
        return options.vector_column
    used = {options.label_column, *options.extra_columns, *options.ignore_columns}
    rest = [field for field in schema if field.name not in used]
    lists = [field.name for field in rest if _is_list(field.type)]
    if len(lists) > 1:
        raise DataError(f"{path} has several columns of vectors, {', '.join(lists)}: name one by --vector-column")
    if lists:
        return str(lists[0])
    return str(rest[0].name) if len(rest) == 1 and _is_bytes(rest[0].type) else None


def read(options: DataOptions, name: str, findings: Findings) -> RawData:
    """The vectors of column `name`, float16 or float32 `[N, D]`, with their labels and split columns.

    Raises DataError that names the file and the row.
    """
    files = [file for source in options.sources for file in table_files.files(source)]
    for file in files:
        _check_columns(file, name, options)
    others = [field for field in table_files.schema(files[0]).names if field not in _named(options, name)]
    if others:
        findings.warnings.append(
            f"the model learns only from the vectors of column {name!r}: {', '.join(others)} "
            f"{'are' if len(others) > 1 else 'is'} left out"
        )
    joined = table_files.read_all(options.sources, options.csv, columns=[options.label_column, *options.extra_columns])
    table = joined.table
    inputs = _copied(files, name, len(table))
    return RawData(
        form=f"embeddings, column {name!r} of Parquet, copied into a memory map of {inputs.dtype}",
        noun="row",
        input=FeaturesInput(width=inputs.shape[1], columns=None, missing=options.missing),
        inputs=inputs,
        labels=CodedColumn.from_arrow(table[options.label_column], f"the labels, column {options.label_column!r},"),
        first_row=1,
        sources=joined.sources if options.files else None,
        columns={column: table[column] for column in options.extra_columns},
    )


def _named(options: DataOptions, name: str) -> list[str]:
    return [name, options.label_column, *options.extra_columns, *options.ignore_columns]


def _check_columns(file: TableFile, name: str, options: DataOptions) -> None:
    path = file.path
    if is_csv(path):
        raise DataError(f"{path} is a CSV file, but {options.path} holds vectors in Parquet: give Parquet files only")
    schema = table_files.schema(file)
    by_option = [
        ("a column of vectors", (name,)),
        ("--label-column", (options.label_column,)),
        ("a split, group or time column", options.extra_columns),
        ("--ignore-columns", options.ignore_columns),
    ]
    for option, names in by_option:
        for each in names:
            table_files.require(schema.names, each, option, path)
    _check_kind(schema.field(name), path)


def _check_kind(field: pa.Field, path: Path) -> None:
    if not (_is_list(field.type) or _is_bytes(field.type)):
        raise DataError(
            f"{path}, column {field.name!r}, is of type {field.type}: a vector must be a list of floats or whole "
            "numbers, or fixed-size bytes of little-endian float32"
        )


def _is_list(kind: pa.DataType) -> bool:
    kinds = pa.types
    is_list = kinds.is_fixed_size_list(kind) or kinds.is_list(kind) or kinds.is_large_list(kind)
    return bool(is_list and (kinds.is_floating(kind.value_type) or kinds.is_integer(kind.value_type)))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_binary(kind) and kind.byte_width % _BYTES.itemsize == 0 and kind.byte_width > 0)


def _copied(files: list[TableFile], name: str, rows: int) -> NDArray[Any]:
    """All vectors, in the order of the files, as a memory map `[rows, D]`."""
    paths = [file.path for file in files]
    kinds = [table_files.schema(file).field(name).type for file in files]
    half = all(_is_list(kind) and pa.types.is_float16(kind.value_type) for kind in kinds)
    dtype = np.dtype(np.float16 if half else np.float32)
    width = _width(paths, name)
    try:
        with tempfile.TemporaryFile(prefix="demur-") as file:
            for path in paths:
                for values in _blocks(path, name, width):
                    with np.errstate(over="ignore"):  # values that are too large become infinite; the scan reports them
                        file.write(np.ascontiguousarray(values, dtype=dtype).data)
            file.flush()
            # The map keeps the file open.
            return np.memmap(file, dtype=dtype, mode="r", shape=(rows, width))
    except OSError as error:
        raise DataError(
            f"{tempfile.gettempdir()} cannot hold the {rows * width * dtype.itemsize:,} bytes of the vectors: "
            f"{error.strerror}; name another folder by TMPDIR"
        ) from None


def _width(paths: list[Path], name: str) -> int:
    """D, the length of the first vector."""
    first = next(batch for path in paths for batch in _batches(path, name, 1))
    width = int(_lengths(first)[0]) if not first.null_count else 0
    if not width:
        raise DataError(f"{paths[0]}, column {name!r}: the vector of row 1 is empty or missing: give one in every row")
    return width


def _blocks(path: Path, name: str, width: int) -> Iterator[NDArray[Any]]:
    """The vectors of one file, in blocks of floats `[B, width]`. Raises DataError if one has another length."""
    start = 0
    for array in _batches(path, name, max(1, _BATCH_BYTES // (8 * width))):
        location = f"{path}, column {name!r}:"
        if array.null_count:
            row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
            raise DataError(f"{location} row {start + row + 1} has no vector: give one in every row")
        lengths = _lengths(array)
        if len(other := np.flatnonzero(lengths != width)):
            row = int(other[0])
            raise DataError(
                f"{location} the vector of row {start + row + 1} has {lengths[row]} numbers, the first has {width}"
            )
        values = _flat(array)
        if values.null_count:
            index = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
            raise DataError(
                f"{location} number {index % width} of the vector of row {start + index // width + 1} is null"
            )
        yield values.to_numpy().reshape(-1, width)
        start += len(array)


def _batches(path: Path, name: str, rows: int) -> Iterator[pa.Array]:
    try:
        with pa.parquet.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
            for batch in file.iter_batches(batch_size=rows, columns=[name]):
                if len(batch):
                    yield batch.column(0)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None


def _lengths(array: pa.Array) -> NDArray[np.int64]:
    if _is_bytes(array.type):
        return np.full(len(array), array.type.byte_width // _BYTES.itemsize)
    if pa.types.is_fixed_size_list(array.type):
        return np.full(len(array), array.type.list_size)
    lengths: NDArray[np.int64] = pc.list_value_length(array).cast(pa.int64()).to_numpy()
    return lengths


def _flat(array: pa.Array) -> pa.Array:
    """All numbers of the vectors, in one array."""
    if not _is_bytes(array.type):
        return array.flatten()
    width = array.type.byte_width
    content = memoryview(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width]
    return pa.array(np.frombuffer(content, dtype=_BYTES).astype(np.float32, copy=False))
