"""A column of names as numbers: labels, groups and categories."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from service.contract.inputs import boolean_text
from training.errors import DataError

_EXACT = 2.0**53  # float64 holds every whole number below it
_WHOLE_DECIMAL = re.compile(r"(-?(0|[1-9][0-9]*))\.0")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
# Ways to write that a value is missing, of those that pyarrow and pandas know.
MISSING_TEXTS = frozenset(
    ["NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NULL", "null", "None", "NaN", "nan", "-NaN", "-nan"]
)
_RULE = "they must be text, whole numbers or booleans"


@dataclass(frozen=True, slots=True)
class CodedColumn:
    """N names as codes, each distinct name stored once.

    A name is the text as it was written, with three exceptions. `True` and `TRUE` are `true`, and the same for `false`.
    Where every value is a whole number with the decimal 0, such as 1.0, that is left out: pandas writes so where some
    are missing. Where all others are numbers, `NA` and the like are missing.
    """

    names: tuple[str, ...]  # sorted; by size if all are numbers
    codes: NDArray[np.int64]  # [N], indices into `names`; -1 if missing
    were_decimals: bool = field(default=False, repr=False)  # whether the names were whole decimals, such as 1.0

    @classmethod
    def from_names(cls, names: Sequence[str]) -> "CodedColumn":
        """Encode a list of strings, each as it is; an empty one is missing.

        >>> CodedColumn.from_names(["10", "9", "10"])
        CodedColumn(names=('9', '10'), codes=array([1, 0, 1]))
        """
        encoded = pc.dictionary_encode(pa.array(names, type=pa.string()))
        return cls._from_encoded(encoded, encoded.dictionary.to_pylist())

    @classmethod
    def from_array(cls, values: NDArray[Any], subject: str) -> "CodedColumn":
        """Encode an array `[N]` of numbers, booleans or strings; `subject` begins the message of DataError.

        >>> CodedColumn.from_array(np.array([0.5, 1.0, np.nan]), "x").names
        ('0.5', '1.0')
        """
        if values.dtype.kind == "f":
            return cls._from_floats(values, subject)
        if values.dtype.kind == "S":
            values = _decoded(values, subject)
        if values.dtype.kind == "U":
            return cls.from_arrow(pa.array(values.tolist(), type=pa.string()), subject)
        if values.dtype.kind not in "iub":
            raise DataError(f"{subject} are of type {values.dtype}: {_RULE}; convert them by .astype(str)")
        distinct = np.unique(values)
        names = [str(value).lower() if values.dtype.kind == "b" else str(value) for value in distinct.tolist()]
        return cls(tuple(names), np.searchsorted(distinct, values).astype(np.int64, copy=False))

    @classmethod
    def _from_floats(cls, values: NDArray[Any], subject: str) -> "CodedColumn":
        """Encode floats: as whole numbers if all are, else as decimals; NaN is missing."""
        present = ~np.isnan(values)
        held = values[present]
        if np.isinf(held).any():
            raise DataError(f"{subject} hold an infinite number: {_RULE}")
        whole = bool(np.all((np.abs(held) < _EXACT) & (held == np.rint(held))))
        distinct, places = np.unique(held, return_inverse=True)
        codes = np.full(len(values), -1, dtype=np.int64)
        codes[present] = places
        return cls(tuple((distinct.astype(np.int64) if whole else distinct).astype(str).tolist()), codes, whole)

    @classmethod
    def from_arrow(cls, column: pa.Array | pa.ChunkedArray, subject: str) -> "CodedColumn":
        """Encode a column of a table. An empty string is missing. Raises DataError for a type that holds no names."""
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
        if is_bytes(kind):
            try:
                array = (array.dictionary_decode() if kind is not array.type else array).cast(pa.string())
            except pa.ArrowInvalid:
                raise DataError(f"{subject} hold bytes that are no UTF-8: {_RULE}") from None
        elif pa.types.is_floating(kind):
            return cls._from_floats(array.to_numpy(zero_copy_only=False), subject)
        elif not (is_text(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
            raise DataError(f"{subject} are of type {kind}: {_RULE}; convert the column to text")
        encoded = array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array)
        texts, were_decimals = _spelled(encoded.dictionary.to_pylist())
        return cls._from_encoded(encoded, texts, were_decimals=were_decimals)

    @classmethod
    def _from_encoded(
        cls, encoded: pa.DictionaryArray, texts: list[str], *, were_decimals: bool = False
    ) -> "CodedColumn":
        """`texts` are the names of the dictionary's values; several values may have one name."""
        codes = pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
        used = set(np.unique(codes).tolist())  # a dictionary may hold values that no row has
        names = in_order({text for i, text in enumerate(texts) if text and i in used})
        index = {name: i for i, name in enumerate(names)}
        # One more at the end, so that the code -1 maps to -1.
        table = np.array([*(index.get(text, -1) for text in texts), -1], dtype=np.int64)
        return cls(names, table[codes], were_decimals)

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


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort by size if all are numbers, else as text.

    >>> in_order(["10", "9", "09"]), in_order(["10", "9", "x"])
    (('09', '9', '10'), ('10', '9', 'x'))
    """
    names = sorted(names)
    if all(map(is_number, names)):
        return tuple(sorted(names, key=Decimal))
    return tuple(names)


def is_number(name: str) -> bool:
    """Whether a name is a number in plain digits.

    >>> is_number("007"), is_number("-1.50"), is_number("1e3")
    (True, True, False)
    """
    return _NUMBER.fullmatch(name) is not None


def is_text(kind: pa.DataType) -> bool:
    """Whether a type of pyarrow holds strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_bytes(kind: pa.DataType) -> bool:
    """Whether a type of pyarrow holds bytes of any length."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _spelled(values: list[Any]) -> tuple[list[str], bool]:
    """The names of distinct values of a column, empty if missing, and whether they were whole decimals."""
    texts = ["" if v is None else str(v).lower() if isinstance(v, bool) else boolean_text(str(v)) for v in values]
    others = {text for text in texts if text and text not in MISSING_TEXTS}
    if others and all(map(is_number, others)):
        texts = [text if text in others else "" for text in texts]
    decimals = [_WHOLE_DECIMAL.fullmatch(text) for text in texts if text]
    if decimals and all(decimals):
        return [text.removesuffix(".0") for text in texts], True
    return texts, False


def _decoded(values: NDArray[Any], subject: str) -> NDArray[np.str_]:
    """Bytes of UTF-8 as text."""
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{subject} hold bytes that are no UTF-8 ({error.object!r}): {_RULE}") from None
