"""Selects the columns of a file that the model reads, and converts their Arrow arrays for a reader."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from service.contract.errors import InvalidValue, ScoringError
from service.contract.inputs import Column, FeaturesInput, ImageInput, Kind
from service.contract.validation import truncated

_t = pa.types
# The Arrow types of list elements, by the kind of the dtype of the model's input.
_ELEMENT_TYPES: dict[str, Callable[[pa.DataType], bool]] = {
    "u": _t.is_uint8,
    "f": lambda kind: _t.is_floating(kind) or _t.is_integer(kind),
    "i": _t.is_integer,
}


def select(schema: pa.Schema, kind: Kind, requested: str | None) -> tuple[str, ...]:
    """The columns of a file that a model of `kind` reads: one, or all columns of a table.

    `requested` names the one; otherwise it is the only one of a fitting type. Raises ScoringError, which lists the
    columns.
    """
    duplicates = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if duplicates:
        raise ScoringError(f"there is more than one column {truncated(duplicates[0])!r}")
    if isinstance(kind, FeaturesInput) and kind.columns is not None:
        if requested is not None:
            raise ScoringError(
                f"--column {requested}: this model reads the columns {_listed(c.name for c in kind.columns)}"
            )
        return _table_columns(schema, kind.columns)
    if requested is not None:
        if requested not in schema.names:
            raise ScoringError(f"--column {requested}: no such column; there are {_described(schema)}")
        if not _fits(schema.field(requested).type, kind):
            raise ScoringError(f"--column {requested} is of type {schema.field(requested).type}: {kind.in_words}")
        return (requested,)
    fitting = [field.name for field in schema if _fits(field.type, kind)]
    if len(fitting) == 1:
        return (fitting[0],)
    if fitting:
        problem = f"more than one column fits, {_listed(fitting)}: choose one with --column"
    else:
        problem = "no column fits the model"
    raise ScoringError(f"{problem}; {kind.in_words}; there are {_described(schema)}")


def arrays(batch: pa.RecordBatch, names: Sequence[str], kind: Kind, first_row: int) -> dict[str, NDArray[Any]]:
    """The named columns for `Reader.from_columns`. Raises InvalidValue if a row is null or has the wrong length."""
    if isinstance(kind, FeaturesInput) and kind.columns is not None:
        is_category = {column.name: column.categories is not None for column in kind.columns}
        return {name: (_names if is_category[name] else _numbers)(batch.column(name)) for name in names}
    array = _storage(batch.column(names[0]))
    if _t.is_struct(array.type):
        array = pc.struct_field(array, "bytes")
    if array.null_count:
        row = pc.is_null(array).to_numpy(zero_copy_only=False).argmax()
        raise InvalidValue(f"row {first_row + int(row)}: {truncated(names[0])}", f" is null: {kind.in_words}")
    return {names[0]: _rows(array, names[0], kind, first_row)}


def _table_columns(schema: pa.Schema, columns: Sequence[Column]) -> tuple[str, ...]:
    for column in columns:
        if column.name not in schema.names:
            raise ScoringError(f"there is no column {truncated(column.name)!r}, which the model reads")
        arrow_type = schema.field(column.name).type
        if not (_is_number(arrow_type) if column.categories is None else _is_name(arrow_type)):
            expected = "numbers" if column.categories is None else "strings, whole numbers or booleans"
            raise ScoringError(f"column {truncated(column.name)!r} is of type {arrow_type}: it must hold {expected}")
    return tuple(column.name for column in columns)


def _is_number(kind: pa.DataType) -> bool:
    return bool(_t.is_integer(kind) or _t.is_floating(kind) or _t.is_decimal(kind) or _t.is_null(kind))


def _is_name(kind: pa.DataType) -> bool:
    """Whether the training job accepts the type for names of categories."""
    kind = kind.value_type if _t.is_dictionary(kind) else kind
    text = _t.is_string(kind) or _t.is_large_string(kind) or _t.is_string_view(kind)
    return bool(text or _t.is_boolean(kind) or _t.is_integer(kind) or _t.is_floating(kind) or _t.is_null(kind))


def _fits(arrow_type: pa.DataType, kind: Kind) -> bool:
    if isinstance(arrow_type, pa.BaseExtensionType):
        arrow_type = arrow_type.storage_type
    if _t.is_fixed_size_binary(arrow_type):
        return bool(arrow_type.byte_width == kind.values * kind.dtype.itemsize)
    if _t.is_binary(arrow_type) or _t.is_large_binary(arrow_type):
        return isinstance(kind, ImageInput)
    if _t.is_struct(arrow_type):  # bytes and path, a picture of Hugging Face's `datasets`
        return (
            isinstance(kind, ImageInput) and "bytes" in arrow_type.names and _fits(arrow_type.field("bytes").type, kind)
        )
    if _t.is_fixed_size_list(arrow_type) and arrow_type.list_size != kind.values:
        return False
    if _t.is_fixed_size_list(arrow_type) or _t.is_list(arrow_type) or _t.is_large_list(arrow_type):
        return bool(_ELEMENT_TYPES[kind.dtype.kind](arrow_type.value_type))
    return False


def _rows(array: pa.Array, name: str, kind: Kind, first_row: int) -> NDArray[Any]:
    """`[N, values]`, or `[N]` of bytes for picture files; without a copy if possible."""
    if _t.is_binary(array.type) or _t.is_large_binary(array.type):
        files: NDArray[Any] = array.to_numpy(zero_copy_only=False)
        return files
    if _t.is_fixed_size_binary(array.type):
        width = array.type.byte_width
        data = np.frombuffer(array.buffers()[1], np.uint8, len(array) * width, array.offset * width)
        return data.view(kind.dtype.newbyteorder("<")).reshape(len(array), -1)
    if not _t.is_fixed_size_list(array.type):
        lengths = pc.list_value_length(array).to_numpy()
        invalid = lengths != kind.values
        if invalid.any():
            row = int(invalid.argmax())
            raise InvalidValue(
                f"row {first_row + row}: {truncated(name)}", f" has {lengths[row]} values: a row has {kind.values}"
            )
    values = array.flatten()
    if values.null_count and kind.dtype.kind != "f":  # as float it is NaN, which the reader checks
        row = int(pc.is_null(values).to_numpy(zero_copy_only=False).argmax()) // kind.values
        raise InvalidValue(f"row {first_row + row}: {truncated(name)}", f" holds null: {kind.in_words}")
    return values.to_numpy(zero_copy_only=False).reshape(len(array), -1)  # type: ignore[no-any-return]


def _numbers(array: pa.Array) -> NDArray[Any]:
    """Float64 `[N]`, NaN for null."""
    numbers: NDArray[Any] = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def _names(array: pa.Array) -> NDArray[Any]:
    """`[N]` of strings, None for null. Numbers and booleans as text, which `Column.codes` knows."""
    encoded = array if _t.is_dictionary(array.type) else pc.dictionary_encode(array)
    values = encoded.dictionary
    if _t.is_floating(values.type):  # as numpy writes them: a float32 of 0.1 is 0.1
        floats = values.to_numpy(zero_copy_only=False)
        texts = [None if text == "nan" else text for text in floats.astype(str).tolist()]
    else:
        texts = values.cast(pa.string()).to_pylist()
    # One more at the end, so that the index -1 maps to None.
    names: NDArray[Any] = np.array([*texts, None], object)[pc.fill_null(encoded.indices, -1).to_numpy()]
    return names


def _storage(array: pa.Array) -> pa.Array:
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _listed(names: Any) -> str:
    return truncated(", ".join(names))


def _described(schema: pa.Schema) -> str:
    return ", ".join(f"{truncated(field.name)} ({field.type})" for field in schema) or "none"
