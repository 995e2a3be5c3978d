"""Reads the rows of a table: columns of numbers as float32, columns of categories as codes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import Fault, InvalidRequest, InvalidValue
from service.contract.inputs import Column
from service.contract.validation import display, truncated
from service.inference.readers.floats import Missing, as_float32, float32s, number_rule, number_schema

UNKNOWN = -1  # the code of a value that is none of the column's categories; it has no weight
_MAX_FAULTS = 10


class Table:
    """The columns of a model's input, prepared for reading rows."""

    def __init__(self, columns: Sequence[Column], missing: Missing) -> None:
        self.missing = missing
        self.names = [column.name for column in columns]
        # For each column: category -> code, or None for a column of numbers.
        self._codes = [
            None if column.categories is None else {name: code for code, name in enumerate(column.categories)}
            for column in columns
        ]
        self._is_coded = np.array([codes is not None for codes in self._codes])
        self._highest = np.array([len(codes) - 1 for codes in self._codes if codes is not None], np.float32)
        self._name_set = frozenset(self.names)

    def from_json(self, inputs: Sequence[object], field: str) -> NDArray[np.float32]:
        """Objects by column name, or lists in column order -> checked float32 `[N, width]`; `field` is their list."""
        rows = [self._in_order(value, f"{field}[{i}]") for i, value in enumerate(inputs)]
        table = np.empty((len(rows), len(self.names)), np.float32)
        for j, values in enumerate(zip(*rows, strict=True)):
            table[:, j] = self._column(j, values, field)
        return table

    def from_columns(self, columns: Mapping[str, NDArray[Any]], first_row: int) -> NDArray[np.float32]:
        """Arrays `[N]` by column name -> checked float32 `[N, width]`. Other columns are ignored."""
        table = np.empty((len(columns[self.names[0]]), len(self.names)), np.float32)
        for j, name in enumerate(self.names):
            codes = self._codes[j]
            if codes is None:
                table[:, j] = self._numbers(columns[name], name, first_row)
            else:
                table[:, j] = self._categories(columns[name], codes, name, first_row)
        return table

    def invalid_codes(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Where `rows`, `[N, width]`, hold something other than a code, such as NaN, in a column of categories."""
        invalid = np.zeros(rows.shape, np.bool_)
        codes = rows[:, self._is_coded]
        # Written so that NaN is invalid too.
        invalid[:, self._is_coded] = ~((codes == np.rint(codes)) & (codes >= UNKNOWN) & (codes <= self._highest))
        return invalid

    def with_missing_as_unknown(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """`rows` with UNKNOWN in place of NaN in columns of categories."""
        return np.where(np.isnan(rows) & self._is_coded, np.float32(UNKNOWN), rows)

    def binary_rule(self, j: int) -> str:
        """The rule for column `j` of a binary body, for messages."""
        codes = self._codes[j]
        if codes is None:
            return number_rule(self.missing)
        return f"its categories are sent as codes, integers from {UNKNOWN} to {len(codes) - 1}"

    def row_schema(self) -> dict[str, Any]:
        """The JSON Schema of one row."""
        properties = {name: self._value_schema(codes) for name, codes in zip(self.names, self._codes, strict=True)}
        return {
            "anyOf": [
                {
                    "type": "object",
                    "properties": properties,
                    "required": self.names,
                    "additionalProperties": False,
                    "description": "The values by column.",
                },
                {
                    "type": "array",
                    "prefixItems": list(properties.values()),
                    "minItems": len(self.names),
                    "maxItems": len(self.names),
                    "description": "The values in the order of the columns.",
                },
            ]
        }

    @property
    def example(self) -> dict[str, Any]:
        """A row of zeros and of first categories."""
        return {
            name: 0.0 if codes is None else next(iter(codes), "")
            for name, codes in zip(self.names, self._codes, strict=True)
        }

    def _in_order(self, value: object, field: str) -> list[Any]:
        """One row's values in the order of the columns."""
        if isinstance(value, dict):
            if value.keys() != self._name_set:
                raise InvalidRequest(self._column_faults(value, field))
            return [value[name] for name in self.names]
        if not isinstance(value, list):
            raise InvalidValue(
                field, f" is {display(value)}: a row is an object by column name or a list of {len(self.names)} values"
            )
        if len(value) != len(self.names):
            raise InvalidValue(field, f" has {len(value)} values: a row has {self._summary()}")
        return value

    def _column_faults(self, row: dict[str, Any], field: str) -> list[Fault]:
        unknown = [f"{field}.{truncated(name)}" for name in row if name not in self._name_set]
        absent = [f"{field}.{truncated(name)}" for name in self.names if name not in row]
        faults = [Fault(name, f"{name}: no such column; there are {self._summary()}") for name in unknown[:1]]
        faults += [Fault(name, f"{name}: no such column") for name in unknown[1:]]
        rule = "is missing: an unknown value is sent as null" if self.missing == "mean" else "is missing"
        return (faults + [Fault(name, f"{name} {rule}") for name in absent])[:_MAX_FAULTS]

    def _summary(self) -> str:
        return f"{len(self.names)} ({truncated(', '.join(self.names))})"

    def _column(self, j: int, values: Sequence[Any], field: str) -> NDArray[np.float32]:
        codes = self._codes[j]
        if codes is None:
            return float32s(values, self.missing, lambda i: self._field(field, i, j))
        accepted = {str, type(None)} if self.missing == "mean" else {str}
        if not set(map(type, values)) <= accepted:
            i, value = next((i, v) for i, v in enumerate(values) if type(v) not in accepted)
            null = " or null" if self.missing == "mean" else ""
            raise InvalidValue(
                self._field(field, i, j),
                f" is {display(value)}: it must be a string{null}; its categories are {truncated(', '.join(codes))}",
            )
        return np.array([codes.get(value, UNKNOWN) for value in values], np.float32)

    def _numbers(self, values: NDArray[Any], name: str, first_row: int) -> NDArray[np.float32]:
        numbers = as_float32(values)
        invalid = np.isinf(numbers) if self.missing == "mean" else ~np.isfinite(numbers)
        if invalid.any():
            i = int(invalid.argmax())
            raise InvalidValue(
                f"row {first_row + i}: {truncated(name)}", f" is {values[i]}: {number_rule(self.missing)}"
            )
        return numbers

    def _categories(
        self, values: NDArray[Any], codes: dict[str, int], name: str, first_row: int
    ) -> NDArray[np.float32]:
        names = values.tolist()
        if self.missing == "refuse" and None in names:
            raise InvalidValue(
                f"row {first_row + names.index(None)}: {truncated(name)}",
                f" is null: none may be missing; its categories are {truncated(', '.join(codes))}",
            )
        return np.array([codes.get(value, UNKNOWN) for value in names], np.float32)

    def _field(self, field: str, i: int, j: int) -> str:
        return f"{field}[{i}].{truncated(self.names[j])}"

    def _value_schema(self, codes: dict[str, int] | None) -> dict[str, Any]:
        if codes is None:
            return number_schema(self.missing)
        null = [{"type": "null"}] if self.missing == "mean" else []
        other = {"type": "string", "description": "Any other value is unknown and has no weight."}
        return {"anyOf": [{"type": "string", "enum": list(codes)}, other, *null]}
