"""Reads rows of numbers, as JSON, base64, raw bytes or NumPy arrays: float32 `[N, width]`, with codes for categories.

The columns of a table are in `tables.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidValue
from service.contract.inputs import FeaturesInput
from service.contract.validation import display, truncated
from service.inference.readers.body import (
    NPY,
    RAW,
    base64_in,
    base64_schemas,
    check_count,
    count_inputs,
    from_base64,
)
from service.inference.readers.floats import as_float32, float32s, is_finite, number_rule, number_schema
from service.inference.readers.npy import read_npy
from service.inference.readers.picture_options import PictureOptions
from service.inference.readers.tables import Table

Features = NDArray[np.float32]

_WIRE = np.dtype("<f4")
# Integers of 16 bits at most: past 2^24 float32 would round silently.
_NPY_DTYPES = ("float16", "float32", "float64", "int8", "uint8", "int16", "uint16")


class FeatureReader:
    """Reads the rows of a table, or embeddings, in every form that a request may have."""

    def __init__(self, kind: FeaturesInput, max_batch_size: int) -> None:
        self._kind = kind
        self._max_batch_size = max_batch_size
        self._table = None if kind.columns is None else Table(kind.columns, kind.missing)

    @property
    def media_types(self) -> tuple[str, ...]:
        """The accepted content types besides JSON."""
        return (RAW, NPY)

    @property
    def resizes(self) -> bool:
        """Never: rows have a fixed width."""
        return False

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of one row."""
        if self._table is not None:
            return self._table.row_schema()
        width = self._kind.width
        numbers = {"type": "array", "items": number_schema(self._kind.missing), "minItems": width, "maxItems": width}
        text = base64_schemas(f"{width} little-endian float32")
        return {"anyOf": [{**numbers, "description": "The numbers."}, *text]}

    @property
    def example(self) -> Any:
        """A row of a table by column name, or an embedding of zeros."""
        return [0.0] * self._kind.width if self._table is None else self._table.example

    def unknown_categories(self, rows: Features) -> list[list[str]] | None:
        """The columns of each row whose value is no category of the model's; None if every value is one."""
        return None if self._table is None else self._table.unknown(rows)

    def with_options(self, options: PictureOptions) -> "FeatureReader":
        """The same reader. Raises InvalidValue if an option is set."""
        options.check_unset("rows of numbers")
        return self

    def from_json(self, inputs: Sequence[object], field: str = "inputs") -> Features:
        """Read a JSON list: rows of a table by column name or in order, embeddings as numbers or base64."""
        check_count(field, len(inputs), self._max_batch_size, "row")
        if self._table is not None:
            return self._table.from_json(inputs, field)
        rows = np.empty((len(inputs), self._kind.width), np.float32)
        for i, value in enumerate(inputs):
            rows[i] = self._embedding(value, f"{field}[{i}]")
        return rows

    def from_body(self, body: bytes, media_type: str) -> Features:
        """Read N rows as `width` little-endian float32 each, or as a NumPy array `[N, width]`."""
        width = self._kind.width
        if media_type == NPY:
            rows = read_npy(body, _NPY_DTYPES, [(width,)])
            check_count("body", len(rows), self._max_batch_size, "row")
        else:
            count = count_inputs(body, width * _WIRE.itemsize, "row")
            check_count("body", count, self._max_batch_size, "row")
            rows = np.frombuffer(body, _WIRE).reshape(count, width)
        return self._checked(rows, lambda i: f"body[{i}]")

    def from_columns(self, columns: Mapping[str, NDArray[Any]], first_row: int = 0) -> Features:
        """Read N embeddings from one float array `[N, width]`, or N rows from the columns of a table by name.

        A column of numbers is a float array `[N]`, with NaN for missing; a column of categories an array `[N]` of
        strings, with None for missing.
        """
        if self._table is not None:
            return self._table.from_columns(columns, first_row)
        ((name, rows),) = columns.items()
        if rows.ndim != 2 or rows.shape[1] != self._kind.width:
            raise InvalidValue(name, f" has the shape {list(rows.shape)}: it must be [N, {self._kind.width}]")
        return self._checked(rows, lambda i: f"row {first_row + i}: {truncated(name)}")

    def _embedding(self, value: object, field: str) -> Features:
        """One embedding, `[width]`."""
        width, size = self._kind.width, self._kind.width * _WIRE.itemsize
        if (text := base64_in(value)) is not None:
            raw = from_base64(text, field)
            if len(raw) != size:
                raise InvalidValue(field, f" holds {len(raw)} bytes: it must be {size}, {width} little-endian float32")
            return self._checked(np.frombuffer(raw, _WIRE)[np.newaxis], lambda _: field).reshape(width)
        if not isinstance(value, list):
            raise InvalidValue(field, f" is {display(value)}: a row is {width} numbers, or base64")
        if len(value) != width:
            raise InvalidValue(field, f" has {len(value)} numbers: a row has {width}")
        return float32s(value, self._kind.missing, lambda j: f"{field}[{j}]")

    def _checked(self, rows: NDArray[Any], row_field: Callable[[int], str]) -> Features:
        """Rows `[N, width]` of any type of numbers as float32. Raises InvalidValue, naming the first invalid value."""
        table, missing = self._table, self._kind.missing
        values = as_float32(rows)
        if table is None and is_finite(values):
            return values
        invalid = np.isinf(values) if missing == "mean" else ~np.isfinite(values)
        if table is not None:
            invalid |= table.invalid_codes(values)
        if invalid.any():
            i, j = divmod(int(invalid.argmax()), invalid.shape[1])
            field = f"{row_field(i)}[{j}]" if table is None else f"{row_field(i)}.{truncated(table.names[j])}"
            raise InvalidValue(
                field, f" is {rows[i, j]}: {number_rule(missing) if table is None else table.binary_rule(j)}"
            )
        return values
