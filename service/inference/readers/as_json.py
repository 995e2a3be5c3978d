"""Inputs, and the contributions of their features, as JSON values in the shape in which a client sends an input."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import Column, FeaturesInput, ImageInput, Kind, TokensInput


def inputs_as_json(kind: Kind, inputs: NDArray[np.generic]) -> list[Any]:
    """N inputs of the graph, `[N, *row_shape]`, in the plainest form that `/predict` takes. A reader restores them.

    Pictures are nested lists of integers, rows of a table objects by column name, embeddings lists of numbers,
    contexts lists of tokens. A missing value is null, and an unknown category an empty string.

    >>> kind = FeaturesInput(width=2, columns=[Column(name="age"), Column(name="sex", categories=["f", "m"])])
    >>> inputs_as_json(kind, np.array([[40, 1], [50, -1]], np.float32))
    [{'age': 40.0, 'sex': 'm'}, {'age': 50.0, 'sex': ''}]
    """
    rows: list[Any] = inputs.tolist()
    if isinstance(kind, TokensInput):
        return [[kind.vocabulary[number] for number in row] for row in rows]
    if not isinstance(kind, FeaturesInput):
        return rows
    if kind.columns is None:
        return [[_number(value) for value in row] for row in rows]
    unknown = [_unknown_category(column) for column in kind.columns]
    return [
        {
            column.name: _value(column, value, other)
            for column, value, other in zip(kind.columns, row, unknown, strict=True)
        }
        for row in rows
    ]


def contributions_as_json(kind: Kind, contributions: NDArray[np.float64]) -> list[Any] | dict[str, float]:
    """The contributions of the D features of one input, in the shape of the input.

    >>> contributions_as_json(ImageInput(height=1, width=2), np.array([1.0, 2.0]))
    [[1.0, 2.0]]
    >>> columns = [{"name": "age"}, {"name": "sex", "categories": ["f", "m"]}]
    >>> contributions_as_json(FeaturesInput(width=2, columns=columns), np.array([1.0, 2.0, 3.0]))
    {'age': 1.0, 'sex': 5.0}
    """
    if isinstance(kind, ImageInput):
        return list(contributions.reshape(kind.row_shape).tolist())
    if not isinstance(kind, FeaturesInput):
        return list(contributions.reshape(kind.context, -1).sum(axis=1).tolist())  # each token has an embedding
    if kind.columns is None:
        return list(contributions.tolist())
    # The encoder puts the columns of numbers first, and the categories of the other columns after them.
    features = iter(contributions)
    by_column = {column.name: float(next(features)) for column in kind.columns if column.categories is None}
    for column in kind.columns:
        if column.categories is not None:
            by_column[column.name] = float(sum(next(features) for _ in column.categories))
    return {column.name: by_column[column.name] for column in kind.columns}


def _value(column: Column, value: float, unknown: str) -> float | str | None:
    if column.categories is None or value != value:
        return _number(value)
    return column.categories[int(value)] if value >= 0 else unknown


def _number(value: float) -> float | None:
    return None if value != value else value


def _unknown_category(column: Column) -> str:
    """The shortest string of spaces that is not a category of the column."""
    text = ""
    while text in (column.categories or ()):
        text += " "
    return text
