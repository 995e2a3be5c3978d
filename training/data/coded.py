"""A column of names as numbers: labels, groups and categories."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.errors import DataError

_EXACT = 2.0**53  # float64 holds every whole number below it
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class CodedColumn:
    """N names as codes, each distinct name stored once."""

    names: tuple[str, ...]  # sorted; by size if all are whole numbers
    codes: NDArray[np.int64]  # [N], indices into `names`; -1 if missing

    @classmethod
    def from_names(cls, names: Sequence[str]) -> "CodedColumn":
        """Encode a list of strings.

        >>> CodedColumn.from_names(["10", "9", "10"])
        CodedColumn(names=('9', '10'), codes=array([1, 0, 1]))
        """
        return cls.from_arrow(pa.array(names, type=pa.string()), "")

    @classmethod
    def from_array(cls, values: NDArray[Any], subject: str) -> "CodedColumn":
        """Encode an array `[N]` of whole numbers, booleans or strings; `subject` begins the message of DataError."""
        if values.dtype.kind == "f":
            return cls._from_floats(values, subject)
        if values.dtype.kind in "US":
            return cls.from_names(values.astype(str).tolist())
        if values.dtype.kind not in "iub":
            raise DataError(f"{subject} are of type {values.dtype}: they must be whole numbers or strings")
        distinct = np.unique(values)
        names = [str(value).lower() if values.dtype.kind == "b" else str(value) for value in distinct.tolist()]
        return cls(tuple(names), np.searchsorted(distinct, values).astype(np.int64, copy=False))

    @classmethod
    def _from_floats(cls, values: NDArray[Any], subject: str) -> "CodedColumn":
        """Encode whole numbers that are floats only because some are missing."""
        present = ~np.isnan(values)
        held = values[present].astype(np.float64)
        if not np.all((np.abs(held) < _EXACT) & (held == np.rint(held))):
            raise DataError(f"{subject} are of type {values.dtype}: they must be whole numbers or strings")
        integers = cls.from_array(held.astype(np.int64), subject)
        codes = np.full(len(values), -1, dtype=np.int64)
        codes[present] = integers.codes
        return cls(integers.names, codes)

    @classmethod
    def from_arrow(cls, column: pa.Array | pa.ChunkedArray, subject: str) -> "CodedColumn":
        """Encode a column of a table. An empty string is missing. Raises DataError for a type that holds no names."""
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
        if not (is_text(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
            if not pa.types.is_floating(kind):
                raise DataError(f"{subject} are of type {kind}: they must be whole numbers or strings")
            return cls.from_array(array.to_numpy(zero_copy_only=False), subject)
        encoded = array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array)
        codes = pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
        texts = [_text(value) for value in encoded.dictionary.to_pylist()]
        used = set(np.unique(codes).tolist())  # a dictionary may hold values that no row has
        names = in_order({text for i, text in enumerate(texts) if text and i in used})
        index = {name: i for i, name in enumerate(names)}
        # One more at the end, so that the code -1 maps to -1.
        return cls(names, np.array([*(index.get(text, -1) for text in texts), -1], dtype=np.int64)[codes])

    def missing(self) -> NDArray[np.int64]:
        """The rows without a name."""
        return np.flatnonzero(self.codes < 0)

    def counts(self) -> NDArray[np.int64]:
        """The number of rows with each name."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names)).astype(np.int64)

    def with_names(self, names: tuple[str, ...]) -> "CodedColumn":
        """Encode the same rows by other names; a name that is not among them becomes missing."""
        index = {name: i for i, name in enumerate(names)}
        table = np.array([*(index.get(name, -1) for name in self.names), -1], dtype=np.int64)
        return CodedColumn(names, table[self.codes])


def in_order(names: set[str]) -> tuple[str, ...]:
    """Sort by size if all are whole numbers, else as text."""
    if all(_WHOLE.fullmatch(name) for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names))


def is_text(kind: pa.DataType) -> bool:
    """Whether a type of pyarrow holds strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _text(value: object) -> str:
    """The value as in JSON, without quotes."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
