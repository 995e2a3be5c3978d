"""What each feature adds to a logit, in the shape in which an input of the kind is sent."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import FeaturesInput, ImageInput, Kind


def in_shape_of(kind: Kind, contributions: NDArray[np.float64]) -> list[Any] | dict[str, float]:
    """Contributions of the D features as an input of the kind looks.

    >>> in_shape_of(ImageInput(height=1, width=2), np.array([1.0, 2.0]))
    [[1.0, 2.0]]
    >>> columns = [{"name": "age"}, {"name": "sex", "categories": ["f", "m"]}]
    >>> in_shape_of(FeaturesInput(width=2, columns=columns), np.array([1.0, 2.0, 3.0]))
    {'age': 1.0, 'sex': 5.0}
    """
    if isinstance(kind, ImageInput):
        return list(contributions.reshape(kind.row_shape).tolist())
    if not isinstance(kind, FeaturesInput):
        return list(contributions.reshape(kind.context, -1).sum(axis=1).tolist())  # an embedding's numbers a token
    if kind.columns is None:
        return list(contributions.tolist())
    # The encoder puts the numbers first, and the categories of the other columns behind them.
    numbers = iter(contributions)
    found = {column.name: float(next(numbers)) for column in kind.columns if column.categories is None}
    for column in kind.columns:
        if column.categories is not None:
            found[column.name] = float(sum(next(numbers) for _ in column.categories))
    return {column.name: found[column.name] for column in kind.columns}
