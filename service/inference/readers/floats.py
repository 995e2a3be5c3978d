"""JSON numbers as float32, in bulk; one by one only to name the number that is wrong."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidValue
from service.contract.validation import display

Missing = Literal["refuse", "mean"]  # as in the contract: whether a missing number is taken

_NUMBERS = frozenset({int, float})  # compared as types, since True is an int by inheritance
_NUMBERS_OR_NULL = _NUMBERS | {type(None)}
# The least number that float32 rounds to infinity: half a step past the largest, 2^128 - 2^104.
_PAST_FLOAT32 = 2.0**128 - 2.0**103


def float32s(values: Sequence[Any], missing: Missing, field_of: Callable[[int], str]) -> NDArray[np.float32]:
    """`values` as float32 `[len(values)]`, null as NaN. Raises InvalidValue, naming the first that is wrong."""
    taken = _NUMBERS_OR_NULL if missing == "mean" else _NUMBERS
    try:
        if set(map(type, values)) <= taken:
            with np.errstate(over="ignore"):  # what becomes infinite is found below
                found = np.array(values, np.float64).astype(np.float32)
            if not np.isinf(found).any():
                return found
    except OverflowError:  # an integer past float64
        pass
    i, value = next((i, v) for i, v in enumerate(values) if not _is_sound(v, taken))
    raise InvalidValue(field_of(i), f" is {display(value)}: {number_rule(missing)}")


def narrowed(values: NDArray[Any]) -> NDArray[np.float32]:
    """Any float type as float32, in C order. What is past the range becomes infinite."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32, order="C", copy=False)


def is_finite(values: NDArray[np.float32]) -> bool:
    """Whether all are finite, without an array of what is and what is not.

    >>> is_finite(np.array([[1, 2]], np.float32)), is_finite(np.array([[1, np.nan]], np.float32))
    (True, False)
    """
    # NaN goes through a minimum and a maximum; what is left may be infinite.
    return not values.size or bool(np.isfinite(values.min()) and np.isfinite(values.max()))


def number_rule(missing: Missing) -> str:
    """What a number must be, in words."""
    rest = "; a missing one is null, or NaN in binary" if missing == "mean" else ", and none may be missing"
    return f"it must be a finite number in the range of float32{rest}"


def number_schema(missing: Missing) -> dict[str, Any]:
    """The JSON Schema of one number."""
    kind = ["number", "null"] if missing == "mean" else "number"
    return {"type": kind, "exclusiveMinimum": -_PAST_FLOAT32, "exclusiveMaximum": _PAST_FLOAT32}


def _is_sound(value: object, taken: frozenset[type]) -> bool:
    if type(value) not in taken:
        return False
    return not isinstance(value, int | float) or -_PAST_FLOAT32 < value < _PAST_FLOAT32
