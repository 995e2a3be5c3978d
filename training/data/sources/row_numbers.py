"""Finds the columns of a table that say which row it is: the index of pandas, running numbers.

They are no features: where the rows are sorted by their labels, they give the labels away.
"""

import re
import shlex

import numpy as np
import pyarrow as pa

from service.inference.csv_files.form import UNNAMED

_FEWEST = 3  # rows: fewer rise by chance
_INDEX = re.compile(r"__index_level_\d+__")


def left_out(name: str, array: pa.Array, files: int) -> str | None:
    """The line for a column that is left out, of rows from that many files; None for a column to use."""
    if not name:  # in Parquet; those of CSV files get one
        return "a column without a name is left out: give it a name in the file to use it"
    if UNNAMED.fullmatch(name) and array.null_count == len(array):
        return f"column {name!r} is left out: it has no name and no value"
    if _INDEX.fullmatch(name):
        reason = "it is the index of pandas"
    elif UNNAMED.fullmatch(name):
        reason = "it has no name in the file, as the index of pandas"
    elif is_running(array, files):
        reason = "it numbers the rows"
    else:
        return None
    option = "--numeric" if _is_whole(array) else "--categorical"
    return f"column {name!r} is left out: {reason}. To use it, give {option} {shlex.quote(name)}"


def is_running(array: pa.Array, files: int) -> bool:
    """Whether whole numbers count the rows up or down by one, or are all numbers from 0 or 1 in any order.

    They may start again with each of the files.

    >>> [is_running(pa.array(values), 1) for values in ([7, 8, 9], [2, 0, 1], [1, 2, 4], [0, 1, 0, 1])]
    [True, True, False, False]
    >>> is_running(pa.array([0, 1, 2, 0, 1]), files=2)
    True
    """
    if not _is_whole(array) or array.null_count or len(array) < _FEWEST:
        return False
    numbers = array.to_numpy()
    if any(np.count_nonzero(numbers[1:] - numbers[:-1] != step) < files for step in (1, -1)):
        return True
    first = int(numbers.min())
    return first in (0, 1) and bool(np.array_equal(np.sort(numbers), np.arange(first, first + len(numbers))))


def is_rising(array: pa.Array) -> bool:
    """Whether whole numbers are larger in each row than in the one before, as ids and times are."""
    if not _is_whole(array) or array.null_count or len(array) < _FEWEST:
        return False
    numbers = array.to_numpy()
    return bool((numbers[1:] > numbers[:-1]).all())


def _is_whole(array: pa.Array) -> bool:
    return bool(pa.types.is_integer(array.type))
