"""A column of names as numbers: labels, groups and categories all come this way."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.errors import DataError

_EXACT = 2.0**53  # the whole numbers up to here are all in float64; infinity is not
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Coded:
    """N names, each distinct one held once."""

    names: tuple[str, ...]  # sorted; by size where all are whole numbers
    codes: NDArray[np.int64]  # [N], indices into `names`; -1 where there is none

    @classmethod
    def of_names(cls, names: Sequence[str]) -> "Coded":
        """A list of strings.

        >>> Coded.of_names(["10", "9", "10"])
        Coded(names=('9', '10'), codes=array([1, 0, 1]))
        """
        return cls.of_arrow(pa.array(names, type=pa.string()), "")

    @classmethod
    def of_array(cls, values: NDArray[Any], what: str) -> "Coded":
        """An array `[N]` of whole numbers, booleans or strings; `what` names it in the message of DataError."""
        if values.dtype.kind == "f":
            return cls._of_floats(values, what)
        if values.dtype.kind in "US":
            return cls.of_names(values.astype(str).tolist())
        if values.dtype.kind not in "iub":
            raise DataError(f"{what} are of type {values.dtype}: they must be whole numbers or strings")
        distinct = np.unique(values)
        names = [str(value).lower() if values.dtype.kind == "b" else str(value) for value in distinct.tolist()]
        return cls(tuple(names), np.searchsorted(distinct, values).astype(np.int64, copy=False))

    @classmethod
    def _of_floats(cls, values: NDArray[Any], what: str) -> "Coded":
        """Whole numbers, which are floats only since some are missing."""
        present = ~np.isnan(values)
        held = values[present].astype(np.float64)
        if not np.all((np.abs(held) < _EXACT) & (held == np.rint(held))):
            raise DataError(f"{what} are of type {values.dtype}: they must be whole numbers or strings")
        whole = cls.of_array(held.astype(np.int64), what)
        codes = np.full(len(values), -1, dtype=np.int64)
        codes[present] = whole.codes
        return cls(whole.names, codes)

    @classmethod
    def of_arrow(cls, column: pa.Array | pa.ChunkedArray, what: str) -> "Coded":
        """A column of a table. An empty string is missing. Raises DataError for a type that holds no names."""
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
        if not (is_text(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
            if not pa.types.is_floating(kind):
                raise DataError(f"{what} are of type {kind}: they must be whole numbers or strings")
            return cls.of_array(array.to_numpy(zero_copy_only=False), what)
        encoded = array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array)
        codes = pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
        texts = [_text(value) for value in encoded.dictionary.to_pylist()]
        used = set(np.unique(codes).tolist())  # a dictionary may hold what no row says
        names = in_order({text for i, text in enumerate(texts) if text and i in used})
        place = {name: i for i, name in enumerate(names)}
        # One more at the end, so that the code -1 stays what it is.
        return cls(names, np.array([*(place.get(text, -1) for text in texts), -1], dtype=np.int64)[codes])

    def missing(self) -> NDArray[np.int64]:
        """The rows without a name."""
        return np.flatnonzero(self.codes < 0)

    def counts(self) -> NDArray[np.int64]:
        """How many rows have each of the names."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names)).astype(np.int64)

    def with_names(self, names: tuple[str, ...]) -> "Coded":
        """The same rows by other codes; what is not among `names` is missing."""
        place = {name: i for i, name in enumerate(names)}
        table = np.array([*(place.get(name, -1) for name in self.names), -1], dtype=np.int64)
        return Coded(names, table[self.codes])


def in_order(names: set[str]) -> tuple[str, ...]:
    """Sorted: by size where all are whole numbers, else as text."""
    if all(_WHOLE.fullmatch(name) for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names))


def is_text(kind: pa.DataType) -> bool:
    """Whether a type of pyarrow holds strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _text(value: object) -> str:
    """As a client would write it in JSON, without the quotes."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
