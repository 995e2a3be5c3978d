"""Strange rows of numbers, made from real ones, on which the gate is tested.

Nothing is fitted or chosen on them. A gate may flag the rows that lie far out and miss those that only combine real
values wrongly.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import FeaturesInput

Rows = NDArray[np.float32]

_FAR = 10  # standard deviations


def uniform(rows: Rows, rng: np.random.Generator) -> Rows:
    """Every column uniform between its lowest and its highest value."""
    return rng.uniform(np.nanmin(rows, axis=0), np.nanmax(rows, axis=0), size=rows.shape).astype(np.float32)


def far_out(rows: Rows, rng: np.random.Generator) -> Rows:
    """Every column from a normal distribution around its mean, ten times as wide as the column."""
    spread = _FAR * np.nanstd(rows, axis=0)
    return rng.normal(np.nanmean(rows, axis=0), spread, size=rows.shape).astype(np.float32)


def columns_shuffled(rows: Rows, rng: np.random.Generator) -> Rows:
    """Every column in a separate random order: each number is real, and no row is.

    >>> columns_shuffled(np.array([[1, 5], [2, 6]], np.float32), np.random.default_rng(0)).sum(axis=0)
    array([ 3., 11.], dtype=float32)
    """
    return rng.permuted(rows, axis=0)


def in_another_unit(rows: Rows, _: np.random.Generator) -> Rows:
    """Every number times a thousand, as grams for kilograms."""
    return rows * np.float32(1000)


def all_zero(rows: Rows, _: np.random.Generator) -> Rows:
    """One row."""
    return np.zeros_like(rows[:1])


KINDS: dict[str, Callable[[Rows, np.random.Generator], Rows]] = {
    "uniform": uniform,
    "far out": far_out,
    "columns shuffled": columns_shuffled,
    "in another unit": in_another_unit,
    "all zero": all_zero,
}


def make(kind: FeaturesInput, rows: Rows, seed: int = 0) -> dict[str, Rows]:
    """All sets by name, from rows `[N, width]`. Columns of categories keep real codes, shuffled among the rows."""
    coded = [i for i, column in enumerate(kind.columns or []) if column.categories is not None]
    sets = {}
    for number, (name, strange) in enumerate(KINDS.items()):
        rng = np.random.default_rng([seed, number])
        made = strange(rows, rng)
        made[:, coded] = rng.permuted(rows[:, coded], axis=0)[: len(made)]
        sets[name] = made
    return sets
