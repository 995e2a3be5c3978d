"""The graph's input as a client would send it in JSON: the way in, walked back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import Column, FeaturesInput, Kind, TokensInput


def as_sent(kind: Kind, inputs: NDArray[np.generic]) -> list[Any]:
    """N inputs, `[N, *row_shape]`, in the plainest form that `/predict` takes; read again they are the same.

    Pictures are nested lists of whole numbers, rows of a table objects by column name, embeddings lists of numbers,
    contexts lists of tokens. What is missing is null, and a category that is unknown an empty string.

    >>> kind = FeaturesInput(width=2, columns=[Column(name="age"), Column(name="sex", categories=["f", "m"])])
    >>> as_sent(kind, np.array([[40, 1], [50, -1]], np.float32))
    [{'age': 40.0, 'sex': 'm'}, {'age': 50.0, 'sex': ''}]
    """
    rows: list[Any] = inputs.tolist()
    if isinstance(kind, TokensInput):
        return [[kind.vocabulary[number] for number in row] for row in rows]
    if not isinstance(kind, FeaturesInput):
        return rows
    if kind.columns is None:
        return [[_number(value) for value in row] for row in rows]
    unknown = [None if kind.missing == "mean" else _no_category(column) for column in kind.columns]
    return [
        {
            column.name: _value(column, value, other)
            for column, value, other in zip(kind.columns, row, unknown, strict=True)
        }
        for row in rows
    ]


def _value(column: Column, value: float, unknown: str | None) -> float | str | None:
    if column.categories is None:
        return _number(value)
    return column.categories[int(value)] if value >= 0 else unknown


def _number(value: float) -> float | None:
    return None if value != value else value


def _no_category(column: Column) -> str:
    """The shortest text of spaces that is none of the categories."""
    text = ""
    while text in (column.categories or ()):
        text += " "
    return text
