"""Reads the rows of a table: columns of numbers as float32, columns of categories as codes."""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import Fault, InvalidRequest, InvalidValue
from service.contract.inputs import Column, boolean_text
from service.contract.validation import display, truncated
from service.inference.readers.floats import Missing, as_float32, float32s, number_rule, number_schema

UNKNOWN = -1  # the code of a value that is none of the column's categories; it has no weight
_MISSING = np.nan  # the code of a missing category; it has no weight either
_MAX_FAULTS = 10
_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}


class Table:
    """The columns of a model's input, prepared for reading rows."""

    def __init__(self, columns: Sequence[Column], missing: Missing) -> None:
        self.missing = missing
        self.names = [column.name for column in columns]
        self._categories = [column.categories for column in columns]
        # For each column: text -> code, or None for a column of numbers.
        self._codes = [None if column.categories is None else column.codes() for column in columns]
        self._types = [_value_types(column.categories or ()) for column in columns]
        self._is_coded = np.array([codes is not None for codes in self._codes])
        self._highest = np.array([len(names) - 1 for names in self._categories if names is not None], np.float32)
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
            if self._codes[j] is None:
                table[:, j] = self._numbers(columns[name], name, first_row)
            else:
                table[:, j] = self._codes_of(columns[name], j, first_row)
        return table

    def invalid_codes(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Where `rows`, `[N, width]`, hold something other than a code in a column of categories."""
        invalid = np.zeros(rows.shape, np.bool_)
        codes = rows[:, self._is_coded]
        # Written so that NaN is invalid too.
        valid = (codes == np.rint(codes)) & (codes >= UNKNOWN) & (codes <= self._highest)
        invalid[:, self._is_coded] = ~(valid | np.isnan(codes) if self.missing == "mean" else valid)
        return invalid

    def unknown(self, rows: NDArray[np.float32]) -> list[list[str]] | None:
        """For each row, `[N, width]`, the columns whose value is none of the categories; None if there are none."""
        unknown = (rows == UNKNOWN) & self._is_coded
        return [list(compress(self.names, row)) for row in unknown.tolist()] if unknown.any() else None

    def binary_rule(self, j: int) -> str:
        """The rule for column `j` of a binary body, for messages."""
        names = self._categories[j]
        if names is None:
            return number_rule(self.missing)
        return f"its categories are sent as codes, integers from {UNKNOWN} to {len(names) - 1}"

    def row_schema(self) -> dict[str, Any]:
        """The JSON Schema of one row."""
        properties = {name: self._value_schema(j) for j, name in enumerate(self.names)}
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
            name: 0.0 if names is None else next(iter(names), "")
            for name, names in zip(self.names, self._categories, strict=True)
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
        types = set(map(type, values))
        if types != {str}:
            accepted = self._types[j] | {type(None)} if self.missing == "mean" else self._types[j]
            if not types <= accepted:
                i, value = next((i, v) for i, v in enumerate(values) if type(v) not in accepted)
                raise InvalidValue(self._field(field, i, j), f" is {display(value)}: {self._category_rule(j)}")
            values = list(map(_text, values))
        return np.array([codes.get(value, _MISSING if value is None else UNKNOWN) for value in values], np.float32)

    def _category_rule(self, j: int) -> str:
        names = [name for kind, name in _JSON_TYPES.items() if kind in self._types[j] and kind is not int]
        null = ["null"] if self.missing == "mean" else []
        return f"it must be a {' or '.join(names + null)}; its categories are {self._listed(j)}"

    def _listed(self, j: int) -> str:
        return truncated(", ".join(self._categories[j] or ()))

    def _numbers(self, values: NDArray[Any], name: str, first_row: int) -> NDArray[np.float32]:
        numbers = as_float32(values)
        invalid = np.isinf(numbers) if self.missing == "mean" else ~np.isfinite(numbers)
        if invalid.any():
            i = int(invalid.argmax())
            raise InvalidValue(
                f"row {first_row + i}: {truncated(name)}", f" is {values[i]}: {number_rule(self.missing)}"
            )
        return numbers

    def _codes_of(self, values: NDArray[Any], j: int, first_row: int) -> NDArray[np.float32]:
        codes, texts = self._codes[j] or {}, values.tolist()
        if self.missing == "refuse" and None in texts:
            raise InvalidValue(
                f"row {first_row + texts.index(None)}: {truncated(self.names[j])}",
                f" is null: none may be missing; its categories are {self._listed(j)}",
            )
        return np.array([codes.get(text, _MISSING if text is None else UNKNOWN) for text in texts], np.float32)

    def _field(self, field: str, i: int, j: int) -> str:
        return f"{field}[{i}].{truncated(self.names[j])}"

    def _value_schema(self, j: int) -> dict[str, Any]:
        names = self._categories[j]
        if names is None:
            return number_schema(self.missing)
        null = [{"type": "null"}] if self.missing == "mean" else []
        types = [
            {"type": name} for kind, name in _JSON_TYPES.items() if kind in self._types[j] and kind not in (str, int)
        ]
        other = {"type": "string", "description": "Any other value is unknown and has no weight."}
        return {"anyOf": [{"type": "string", "enum": list(names)}, other, *types, *null]}


def _value_types(categories: Sequence[str]) -> frozenset[type]:
    """The types of JSON that a value of a column may have: numbers and booleans only where some category is one."""
    types: set[type] = {str}
    if any(boolean_text(name) in ("true", "false") for name in categories):
        types.add(bool)
    if any(name.lstrip("-")[:1].isdigit() for name in categories):
        types |= {int, float}
    return frozenset(types)


def _text(value: str | bool | float | None) -> str | None:
    """A JSON value as the text of a category."""
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
