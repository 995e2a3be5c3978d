"""The rows of a table, turned into the graph's numbers: a column of numbers as it is, one of categories by code."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import Fault, InvalidRequest, InvalidValue
from service.contract.inputs import Column
from service.contract.validation import display, truncated
from service.inference.readers.floats import Missing, float32s, narrowed, number_rule, number_schema

UNKNOWN = -1  # the code of what is none of a column's categories; no class hears of it
_MOST_FAULTS = 10


class Table:
    """The columns of a model's input, with what reading a row needs of them."""

    def __init__(self, columns: Sequence[Column], missing: Missing) -> None:
        self.missing = missing
        self.names = [column.name for column in columns]
        # By column: the code of each category, or None where it holds numbers.
        self._codes = [
            None if column.categories is None else {name: code for code, name in enumerate(column.categories)}
            for column in columns
        ]
        self._is_coded = np.array([codes is not None for codes in self._codes])
        self._highest = np.array([len(codes) - 1 for codes in self._codes if codes is not None], np.float32)
        self._known = frozenset(self.names)

    def from_json(self, inputs: Sequence[object], field: str) -> NDArray[np.float32]:
        """Objects by column name, or lists in column order -> float32 `[N, width]`, checked; `field` holds them."""
        rows = [self._in_order(value, f"{field}[{i}]") for i, value in enumerate(inputs)]
        found = np.empty((len(rows), len(self.names)), np.float32)
        for j, values in enumerate(zip(*rows, strict=True)):
            found[:, j] = self._column(j, values, field)
        return found

    def from_columns(self, columns: Mapping[str, NDArray[Any]], first_row: int) -> NDArray[np.float32]:
        """Arrays `[N]` by column name -> float32 `[N, width]`, checked. Other columns are passed over."""
        found = np.empty((len(columns[self.names[0]]), len(self.names)), np.float32)
        for j, name in enumerate(self.names):
            codes = self._codes[j]
            if codes is None:
                found[:, j] = self._numbers(columns[name], name, first_row)
            else:
                found[:, j] = self._categories(columns[name], codes, name, first_row)
        return found

    def wrong_codes(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Where `rows`, `[N, width]`, hold what is no code, NaN for one, in a column of categories."""
        wrong = np.zeros(rows.shape, np.bool_)
        codes = rows[:, self._is_coded]
        # So written, NaN is wrong as well.
        wrong[:, self._is_coded] = ~((codes == np.rint(codes)) & (codes >= UNKNOWN) & (codes <= self._highest))
        return wrong

    def with_missing_as_unknown(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """`rows` with code -1 for NaN in a column of categories."""
        return np.where(np.isnan(rows) & self._is_coded, np.float32(UNKNOWN), rows)

    def binary_rule(self, j: int) -> str:
        """What column `j` must hold where rows come as numbers."""
        codes = self._codes[j]
        if codes is None:
            return number_rule(self.missing)
        return f"its categories are sent as codes, whole numbers from {UNKNOWN} to {len(codes) - 1}"

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
        """A row of zeros, and of the first category of each column that has some."""
        return {
            name: 0.0 if codes is None else next(iter(codes), "")
            for name, codes in zip(self.names, self._codes, strict=True)
        }

    def _in_order(self, value: object, field: str) -> list[Any]:
        """One row's values in the order of the columns."""
        if isinstance(value, dict):
            if value.keys() != self._known:
                raise InvalidRequest(self._wrong_columns(value, field))
            return [value[name] for name in self.names]
        if not isinstance(value, list):
            raise InvalidValue(
                field, f" is {display(value)}: a row is an object by column name or a list of {len(self.names)} values"
            )
        if len(value) != len(self.names):
            raise InvalidValue(field, f" has {len(value)} values: a row has {self._listed()}")
        return value

    def _wrong_columns(self, row: dict[str, Any], field: str) -> list[Fault]:
        unknown = [f"{field}.{truncated(name)}" for name in row if name not in self._known]
        absent = [f"{field}.{truncated(name)}" for name in self.names if name not in row]
        faults = [Fault(name, f"{name}: no such column; there are {self._listed()}") for name in unknown[:1]]
        faults += [Fault(name, f"{name}: no such column") for name in unknown[1:]]
        rule = "is missing: a value that is not known is null" if self.missing == "mean" else "is missing"
        return (faults + [Fault(name, f"{name} {rule}") for name in absent])[:_MOST_FAULTS]

    def _listed(self) -> str:
        return f"{len(self.names)} ({truncated(', '.join(self.names))})"

    def _column(self, j: int, values: Sequence[Any], field: str) -> NDArray[np.float32]:
        codes = self._codes[j]
        if codes is None:
            return float32s(values, self.missing, lambda i: self._field(field, i, j))
        taken = {str, type(None)} if self.missing == "mean" else {str}
        if not set(map(type, values)) <= taken:
            i, value = next((i, v) for i, v in enumerate(values) if type(v) not in taken)
            null = " or null" if self.missing == "mean" else ""
            raise InvalidValue(
                self._field(field, i, j),
                f" is {display(value)}: it must be a string{null}; its categories are {truncated(', '.join(codes))}",
            )
        return np.array([codes.get(value, UNKNOWN) for value in values], np.float32)

    def _numbers(self, values: NDArray[Any], name: str, first_row: int) -> NDArray[np.float32]:
        found = narrowed(values)
        wrong = np.isinf(found) if self.missing == "mean" else ~np.isfinite(found)
        if wrong.any():
            i = int(wrong.argmax())
            raise InvalidValue(
                f"row {first_row + i}: {truncated(name)}", f" is {values[i]}: {number_rule(self.missing)}"
            )
        return found

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
        other = {"type": "string", "description": "Any other is unknown and speaks for no class."}
        return {"anyOf": [{"type": "string", "enum": list(codes)}, other, *null]}
