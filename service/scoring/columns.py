"""Which columns of a file the model reads, and how their Arrow arrays become the arrays that a reader takes."""

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
# Which Arrow types a list may hold, by the kind of the dtype that the model takes.
_FITTING: dict[str, Callable[[pa.DataType], bool]] = {"u": _t.is_uint8, "f": _t.is_floating, "i": _t.is_integer}


def chosen(schema: pa.Schema, kind: Kind, asked: str | None) -> tuple[str, ...]:
    """The columns that a model of `kind` reads of a file: one, or all those of a table.

    `asked` names the one; else it is the only one of a type that fits. Raises ScoringError, which lists the columns.
    """
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise ScoringError(f"there is more than one column {truncated(twice[0])!r}")
    if isinstance(kind, FeaturesInput) and kind.columns is not None:
        if asked is not None:
            raise ScoringError(
                f"--column {asked}: this model reads the columns {_listed(c.name for c in kind.columns)}"
            )
        return _of_table(schema, kind.columns)
    if asked is not None:
        if asked not in schema.names:
            raise ScoringError(f"--column {asked}: there is no such column; there are {_described(schema)}")
        if not _fits(schema.field(asked).type, kind):
            raise ScoringError(f"--column {asked} is of type {schema.field(asked).type}: {kind.in_words}")
        return (asked,)
    fitting = [field.name for field in schema if _fits(field.type, kind)]
    if len(fitting) == 1:
        return (fitting[0],)
    came = "no column that the model can read" if not fitting else f"more than one, {_listed(fitting)}: say --column"
    raise ScoringError(f"there is {came}; {kind.in_words}; there are {_described(schema)}")


def arrays(batch: pa.RecordBatch, names: Sequence[str], kind: Kind, first_row: int) -> dict[str, NDArray[Any]]:
    """The named columns as `Reader.from_columns` takes them. Raises InvalidValue where a row is null or too short."""
    if isinstance(kind, FeaturesInput) and kind.columns is not None:
        of_categories = {column.name: column.categories is not None for column in kind.columns}
        return {name: (_names if of_categories[name] else _numbers)(batch.column(name)) for name in names}
    array = _storage(batch.column(names[0]))
    if array.null_count:
        row = pc.is_null(array).to_numpy(zero_copy_only=False).argmax()
        raise InvalidValue(f"row {first_row + int(row)}: {truncated(names[0])}", f" is null: {kind.in_words}")
    return {names[0]: _rows(array, names[0], kind, first_row)}


def _of_table(schema: pa.Schema, columns: Sequence[Column]) -> tuple[str, ...]:
    for column in columns:
        if column.name not in schema.names:
            raise ScoringError(f"there is no column {truncated(column.name)!r}, which the model reads")
        found = schema.field(column.name).type
        if not (_is_number(found) if column.categories is None else _is_name(found)):
            must = "numbers" if column.categories is None else "strings, whole numbers or booleans"
            raise ScoringError(f"column {truncated(column.name)!r} is of type {found}: it must hold {must}")
    return tuple(column.name for column in columns)


def _is_number(found: pa.DataType) -> bool:
    return bool(_t.is_integer(found) or _t.is_floating(found) or _t.is_decimal(found) or _t.is_null(found))


def _is_name(found: pa.DataType) -> bool:
    """As the training job takes them for names of categories."""
    kind = found.value_type if _t.is_dictionary(found) else found
    text = _t.is_string(kind) or _t.is_large_string(kind) or _t.is_string_view(kind)
    return bool(text or _t.is_boolean(kind) or _t.is_integer(kind) or _t.is_floating(kind) or _t.is_null(kind))


def _fits(found: pa.DataType, kind: Kind) -> bool:
    found = found.storage_type if isinstance(found, pa.BaseExtensionType) else found
    if _t.is_fixed_size_binary(found):
        return bool(found.byte_width == kind.values * kind.dtype.itemsize)
    if _t.is_binary(found) or _t.is_large_binary(found):
        return isinstance(kind, ImageInput)
    if _t.is_fixed_size_list(found) and found.list_size != kind.values:
        return False
    if _t.is_fixed_size_list(found) or _t.is_list(found) or _t.is_large_list(found):
        return bool(_FITTING[kind.dtype.kind](found.value_type))
    return False


def _rows(array: pa.Array, name: str, kind: Kind, first_row: int) -> NDArray[Any]:
    """`[N, values]`, or `[N]` of bytes objects for picture files; nothing is copied that need not be."""
    if _t.is_binary(array.type) or _t.is_large_binary(array.type):
        files: NDArray[Any] = array.to_numpy(zero_copy_only=False)
        return files
    if _t.is_fixed_size_binary(array.type):
        width = array.type.byte_width
        data = np.frombuffer(array.buffers()[1], np.uint8, len(array) * width, array.offset * width)
        return data.view(kind.dtype.newbyteorder("<")).reshape(len(array), -1)
    if not _t.is_fixed_size_list(array.type):
        lengths = pc.list_value_length(array).to_numpy()
        wrong = lengths != kind.values
        if wrong.any():
            row = int(wrong.argmax())
            raise InvalidValue(
                f"row {first_row + row}: {truncated(name)}", f" has {lengths[row]} values: a row has {kind.values}"
            )
    values = array.flatten()
    if values.null_count and kind.dtype.kind != "f":  # there it is NaN, which the reader looks at
        row = int(pc.is_null(values).to_numpy(zero_copy_only=False).argmax()) // kind.values
        raise InvalidValue(f"row {first_row + row}: {truncated(name)}", f" holds null: {kind.in_words}")
    return values.to_numpy(zero_copy_only=False).reshape(len(array), -1)  # type: ignore[no-any-return]


def _numbers(array: pa.Array) -> NDArray[Any]:
    """Float64 `[N]`, NaN for null."""
    found: NDArray[Any] = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return found


def _names(array: pa.Array) -> NDArray[Any]:
    """`[N]` of strings, None for null; numbers and booleans by the names that the training job gives them."""
    if _t.is_dictionary(array.type):
        array = array.dictionary_decode()
    if _t.is_floating(array.type):  # whole numbers, some of them missing, come as floats from elsewhere
        array = array.cast(pa.float64())
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, pa.float64()), array)
        array = array.cast(pa.int64()) if pc.all(pc.equal(array, pc.round(array))).as_py() else array
    found: NDArray[Any] = array.cast(pa.string()).to_numpy(zero_copy_only=False)
    return found


def _storage(array: pa.Array) -> pa.Array:
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _listed(names: Any) -> str:
    return truncated(", ".join(names))


def _described(schema: pa.Schema) -> str:
    return ", ".join(f"{truncated(field.name)} ({field.type})" for field in schema) or "none"
