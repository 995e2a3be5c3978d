"""Reads contexts of tokens: int64 `[N, context]`.

A token is a string, or its number in the vocabulary. A string that is not in the vocabulary gets the manifest's
`unknown` number.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidValue
from service.contract.inputs import TokensInput
from service.contract.validation import display, truncated
from service.inference.readers.body import NPY, RAW, check_count, count_inputs
from service.inference.readers.npy import read_npy
from service.inference.readers.picture_options import PictureOptions

Tokens = NDArray[np.int64]

_WIRE = np.dtype("<i8")
_NPY_DTYPES = ("uint16", "int32", "uint32", "int64")


class TokenReader:
    """Reads contexts in every form that a request may have."""

    def __init__(self, kind: TokensInput, max_batch_size: int) -> None:
        self._kind = kind
        self._max_batch_size = max_batch_size
        self._numbers = {token: number for number, token in enumerate(kind.vocabulary)}

    @property
    def media_types(self) -> tuple[str, ...]:
        """The accepted content types besides JSON."""
        return (RAW, NPY)

    @property
    def resizes(self) -> bool:
        """Never: contexts have a fixed length."""
        return False

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of one context."""
        number = {"type": "integer", "minimum": 0, "maximum": len(self._numbers) - 1}
        return {
            "type": "array",
            "items": {"anyOf": [{"type": "string"}, number]},
            "minItems": self._kind.context,
            "maxItems": self._kind.context,
            "description": "The tokens, oldest first, each as text or as its number in the vocabulary.",
        }

    @property
    def example(self) -> list[int]:
        """The first token of the vocabulary, repeated."""
        return [0] * self._kind.context

    def with_options(self, options: PictureOptions) -> "TokenReader":
        """The same reader. Raises InvalidValue if an option is set."""
        options.check_unset("tokens")
        return self

    def from_json(self, inputs: Sequence[object], field: str = "inputs") -> Tokens:
        """Read a JSON list whose elements are lists of `context` strings or numbers."""
        check_count(field, len(inputs), self._max_batch_size, "context")
        return np.array([self._context(value, f"{field}[{i}]") for i, value in enumerate(inputs)], np.int64)

    def from_body(self, body: bytes, media_type: str) -> Tokens:
        """Read N contexts as `context` little-endian int64 each, or as a NumPy array `[N, context]`."""
        context = self._kind.context
        if media_type == NPY:
            rows = read_npy(body, _NPY_DTYPES, [(context,)])
        else:
            rows = np.frombuffer(body, _WIRE, count_inputs(body, context * _WIRE.itemsize, "context") * context)
            rows = rows.reshape(-1, context)
        check_count("body", len(rows), self._max_batch_size, "context")
        return self._checked(rows, "body[{}]", 0)

    def from_columns(self, columns: Mapping[str, NDArray[Any]], first_row: int = 0) -> Tokens:
        """Read N contexts from one integer array `[N, context]`."""
        ((name, rows),) = columns.items()
        if rows.ndim != 2 or rows.shape[1] != self._kind.context:
            raise InvalidValue(name, f" has the shape {list(rows.shape)}: it must be [N, {self._kind.context}]")
        return self._checked(rows, f"row {{}}: {truncated(name)}", first_row)

    def unknown_categories(self, _: Tokens) -> None:
        """None: there are no columns."""

    def _context(self, value: object, field: str) -> list[int]:
        if not isinstance(value, list) or len(value) != self._kind.context:
            raise InvalidValue(
                field, f" is {display(value)}: a context is a list of {self._kind.context} tokens, oldest first"
            )
        return [self._number(token, f"{field}[{j}]") for j, token in enumerate(value)]

    def _number(self, token: object, field: str) -> int:
        if isinstance(token, str):
            return self._numbers.get(token, self._kind.unknown)
        if type(token) is not int or not 0 <= token < len(self._numbers):  # True is not a token number
            raise InvalidValue(
                field, f"={display(token)}: a token is a string, or its number, from 0 to {len(self._numbers) - 1}"
            )
        return token

    def _checked(self, rows: NDArray[Any], field: str, first_row: int) -> Tokens:
        invalid = (rows < 0) | (rows >= len(self._numbers))
        if invalid.any():
            i, j = divmod(int(invalid.argmax()), invalid.shape[1])
            raise InvalidValue(
                f"{field.format(first_row + i)}[{j}]",
                f"={rows[i, j]}: a token number is from 0 to {len(self._numbers) - 1}",
            )
        return np.ascontiguousarray(rows, np.int64)
