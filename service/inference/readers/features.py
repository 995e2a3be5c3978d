"""Rows of numbers as they arrive, turned into the model's input: float32 `[N, width]`, categories by their codes.

Everything that depends on the input kind `features` on the way in is here and in `tables.py`: JSON, base64, raw bytes
and NumPy arrays. What it refuses, it refuses by the exceptions of `errors.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidValue
from service.contract.inputs import FeaturesInput
from service.contract.validation import display, truncated
from service.inference.readers.body import NPY, RAW, check_count, from_base64, whole_number_of
from service.inference.readers.floats import float32s, is_finite, narrowed, number_rule, number_schema
from service.inference.readers.npy import read_npy
from service.inference.readers.picture_options import PictureOptions
from service.inference.readers.tables import Table

Features = NDArray[np.float32]

_WIRE = np.dtype("<f4")
# Integers are not among them: past 2^24 float32 would round them without a word.
_NPY_DTYPES = ("float16", "float32", "float64")


class FeatureReader:
    """Reads every form of rows that a request may carry, within limits: those of a table, or embeddings."""

    def __init__(self, kind: FeaturesInput, max_batch_size: int) -> None:
        self._kind = kind
        self._max_batch_size = max_batch_size
        self._table = None if kind.columns is None else Table(kind.columns, kind.missing)

    @property
    def media_types(self) -> tuple[str, ...]:
        """The content types that are taken beside JSON."""
        return (RAW, NPY)

    @property
    def resizes(self) -> bool:
        """Rows have one width."""
        return False

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of one row."""
        if self._table is not None:
            return self._table.row_schema()
        width = self._kind.width
        numbers = {"type": "array", "items": number_schema(self._kind.missing), "minItems": width, "maxItems": width}
        text = {"type": "string", "description": f"Base64 of {width} little-endian float32."}
        return {"anyOf": [{**numbers, "description": "The numbers."}, text]}

    @property
    def example(self) -> Any:
        """Of a table a row by the columns' names, of embeddings the origin."""
        return [0.0] * self._kind.width if self._table is None else self._table.example

    def with_options(self, options: PictureOptions) -> "FeatureReader":
        """Itself. Raises InvalidValue for an option that is set."""
        options.check_unset("rows of numbers")
        return self

    def from_json(self, inputs: Sequence[object], field: str = "inputs") -> Features:
        """Read the elements of a JSON list: rows of a table by name or in order, embeddings as numbers or base64."""
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
            count = whole_number_of(body, width * _WIRE.itemsize, "row")
            check_count("body", count, self._max_batch_size, "row")
            rows = np.frombuffer(body, _WIRE).reshape(count, width)
        return self._checked(rows, lambda i: f"body[{i}]")

    def from_columns(self, columns: Mapping[str, NDArray[Any]], first_row: int = 0) -> Features:
        """Read N embeddings from one array `[N, width]` of a float type, or the columns of a table by their names.

        A column of numbers is a float array `[N]`, NaN where one is missing; one of categories an array `[N]` of
        strings, None where one is missing.
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
        if isinstance(value, str):
            raw = from_base64(value, field)
            if len(raw) != size:
                raise InvalidValue(field, f" holds {len(raw)} bytes: it must be {size}, {width} little-endian float32")
            return self._checked(np.frombuffer(raw, _WIRE)[np.newaxis], lambda _: field).reshape(width)
        if not isinstance(value, list):
            raise InvalidValue(field, f" is {display(value)}: a row is {width} numbers, or a base64 string")
        if len(value) != width:
            raise InvalidValue(field, f" has {len(value)} numbers: a row has {width}")
        return float32s(value, self._kind.missing, lambda j: f"{field}[{j}]")

    def _checked(self, rows: NDArray[Any], row_field: Callable[[int], str]) -> Features:
        """Rows `[N, width]` of any float type as float32. Raises InvalidValue, naming the first value that is wrong."""
        table, missing = self._table, self._kind.missing
        found = narrowed(rows)
        if table is None and is_finite(found):
            return found
        if table is not None and missing == "mean":
            found = table.with_missing_as_unknown(found)
        wrong = np.isinf(found) if missing == "mean" else ~np.isfinite(found)
        if table is not None:
            wrong |= table.wrong_codes(found)
        if wrong.any():
            i, j = divmod(int(wrong.argmax()), wrong.shape[1])
            field = f"{row_field(i)}[{j}]" if table is None else f"{row_field(i)}.{truncated(table.names[j])}"
            raise InvalidValue(
                field, f" is {rows[i, j]}: {number_rule(missing) if table is None else table.binary_rule(j)}"
            )
        return found
