"""Embeddings in Parquet: a column of vectors beside one of labels, copied once into a memory map.

Rows of Parquet cannot be read in a drawn order, so the vectors go into a temporary file, which has no name and whose
disk is free again when the process has ended, however it has.
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
from training.data.coded import Coded
from training.data.findings import Findings
from training.data.options import DataOptions
from training.data.raw import Raw
from training.data.sources import table_files
from training.errors import DataError

_BATCH_BYTES = 2**22  # of vectors that are in memory at a time
_BUFFER_BYTES = 2**20  # read from a file at once; without it whole row groups are
_BYTES = np.dtype("<f4")  # what a vector is of where a file has only bytes


def column(options: DataOptions) -> str | None:
    """The column of vectors: the one that is named, or the only one that there is; None where these are a table.

    Bytes may as well be an identifier: unless it is named, they are taken for vectors only where there is nothing
    else to learn from. Raises DataError.
    """
    path = table_files.files(options.path)[0]
    if path.suffix == ".csv":
        if options.vector_column is not None:
            raise DataError(f"--vector-column says nothing about a .csv: {path}")
        return None
    schema = table_files.schema(path)
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


def read(options: DataOptions, name: str, findings: Findings) -> Raw:
    """The vectors of column `name`, float16 or float32 `[N, D]`, and all else that is asked for of the same rows.

    Raises DataError that names the file and the row.
    """
    paths = [path for source in options.sources for path in table_files.files(source)]
    for path in paths:
        _check_columns(path, name, options)
    others = [field for field in table_files.schema(paths[0]).names if field not in _named(options, name)]
    if others:
        findings.warnings.append(
            f"only the vectors of column {name!r} are learnt from: {', '.join(others)} "
            f"{'are' if len(others) > 1 else 'is'} left out"
        )
    table, sources = table_files.read_all(options.sources, [options.label_column, *options.extra_columns])
    inputs = _spooled(paths, name, len(table))
    return Raw(
        form=f"embeddings, column {name!r} of Parquet, copied into a memory map of {inputs.dtype}",
        one="row",
        input=FeaturesInput(width=inputs.shape[1], columns=None, missing=options.missing),
        inputs=inputs,
        labels=Coded.of_arrow(table[options.label_column], f"the labels, column {options.label_column!r},"),
        first_row=1,
        sources=sources if options.files else None,
        columns={column: table[column] for column in options.extra_columns},
    )


def _named(options: DataOptions, name: str) -> list[str]:
    return [name, options.label_column, *options.extra_columns, *options.ignore_columns]


def _check_columns(path: Path, name: str, options: DataOptions) -> None:
    if path.suffix == ".csv":
        raise DataError(f"{path} is a .csv, and {options.path} holds vectors in Parquet")
    schema = table_files.schema(path)
    named = [
        ("a column of vectors", (name,)),
        ("--label-column", (options.label_column,)),
        ("a split, group or time column", options.extra_columns),
        ("--ignore-columns", options.ignore_columns),
    ]
    for option, names in named:
        for each in names:
            table_files.require(schema.names, each, option, path)
    _check_kind(schema.field(name), path)


def _check_kind(field: pa.Field, path: Path) -> None:
    if not (_is_list(field.type) or _is_bytes(field.type)):
        raise DataError(
            f"{path}, column {field.name!r}, is of type {field.type}: a vector is a list of float16, float32 or "
            "float64, or bytes of fixed length that are little-endian float32"
        )


def _is_list(kind: pa.DataType) -> bool:
    kinds = pa.types
    is_list = kinds.is_fixed_size_list(kind) or kinds.is_list(kind) or kinds.is_large_list(kind)
    return bool(is_list and kinds.is_floating(kind.value_type))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_binary(kind) and kind.byte_width % _BYTES.itemsize == 0 and kind.byte_width > 0)


def _spooled(paths: list[Path], name: str, rows: int) -> NDArray[Any]:
    """All vectors, in the order of the files, as a memory map `[rows, D]`."""
    kinds = [table_files.schema(path).field(name).type for path in paths]
    half = all(_is_list(kind) and pa.types.is_float16(kind.value_type) for kind in kinds)
    dtype = np.dtype(np.float16 if half else np.float32)
    width = _width(paths, name)
    try:
        with tempfile.TemporaryFile(prefix="demur-") as file:
            for path in paths:
                for values in _blocks(path, name, width):
                    with np.errstate(over="ignore"):  # what is too large becomes infinite, and that is looked for later
                        file.write(np.ascontiguousarray(values, dtype=dtype).data)
            file.flush()
            # The map keeps the file after it is closed here.
            return np.memmap(file, dtype=dtype, mode="r", shape=(rows, width))
    except OSError as error:
        raise DataError(
            f"{tempfile.gettempdir()} cannot hold the vectors, {rows * width * dtype.itemsize:,} bytes: "
            f"{error.strerror}; name another folder by TMPDIR"
        ) from None


def _width(paths: list[Path], name: str) -> int:
    """D, which a list without a fixed size tells only by its first row."""
    first = next(batch for path in paths for batch in _batches(path, name, 1))
    width = int(_lengths(first)[0]) if not first.null_count else 0
    if not width:
        raise DataError(f"{paths[0]}, column {name!r}: the vector of row 1 is empty or missing")
    return width


def _blocks(path: Path, name: str, width: int) -> Iterator[NDArray[Any]]:
    """The vectors of one file, floats `[B, width]` a block. Raises DataError where one is of another width."""
    start = 0
    for array in _batches(path, name, max(1, _BATCH_BYTES // (8 * width))):
        where = f"{path}, column {name!r}:"
        if array.null_count:
            row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
            raise DataError(f"{where} row {start + row + 1} has no vector")
        lengths = _lengths(array)
        if len(other := np.flatnonzero(lengths != width)):
            row = int(other[0])
            raise DataError(
                f"{where} the vector of row {start + row + 1} has {lengths[row]} numbers where the first has {width}"
            )
        values = _flat(array)
        if values.null_count:
            place = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
            raise DataError(f"{where} number {place % width} of the vector of row {start + place // width + 1} is null")
        yield values.to_numpy().reshape(-1, width)
        start += len(array)


def _batches(path: Path, name: str, rows: int) -> Iterator[pa.Array]:
    try:
        with pa.parquet.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
            for batch in file.iter_batches(batch_size=rows, columns=[name]):
                if len(batch):
                    yield batch.column(0)
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
    """All numbers of the vectors, one after the other."""
    if not _is_bytes(array.type):
        return array.flatten()
    width = array.type.byte_width
    content = memoryview(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width]
    return pa.array(np.frombuffer(content, dtype=_BYTES).astype(np.float32, copy=False))
