"""JSON numbers and arrays as float32, converted in bulk; one by one only to name an invalid number."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidValue
from service.contract.validation import display

Missing = Literal["refuse", "mean"]  # as in the contract

_NUMBERS = frozenset({int, float})  # compared as types, since bool is a subclass of int
_NUMBERS_OR_NULL = _NUMBERS | {type(None)}
# The smallest number that float32 rounds to infinity: half a step past its largest, 2^128 - 2^104.
_PAST_FLOAT32 = 2.0**128 - 2.0**103


def float32s(values: Sequence[Any], missing: Missing, field_of: Callable[[int], str]) -> NDArray[np.float32]:
    """`values` as float32 `[len(values)]`, null as NaN. Raises InvalidValue, naming the first invalid one."""
    accepted = _NUMBERS_OR_NULL if missing == "mean" else _NUMBERS
    try:
        if set(map(type, values)) <= accepted:
            with np.errstate(over="ignore"):  # overflow is detected below
                converted = np.array(values, np.float64).astype(np.float32)
            if not np.isinf(converted).any():
                return converted
    except OverflowError:  # an integer past float64
        pass
    i, value = next((i, v) for i, v in enumerate(values) if not _is_valid(v, accepted))
    raise InvalidValue(field_of(i), f" is {display(value)}: {number_rule(missing)}")


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """An array of any type of numbers as float32, in C order. Values out of range become infinite."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32, order="C", copy=False)


def is_finite(values: NDArray[np.float32]) -> bool:
    """Whether all values are finite, without a boolean array of their size.

    >>> is_finite(np.array([[1, 2]], np.float32)), is_finite(np.array([[1, np.nan]], np.float32))
    (True, False)
    """
    # NaN propagates through min and max.
    return not values.size or bool(np.isfinite(values.min()) and np.isfinite(values.max()))


def number_rule(missing: Missing) -> str:
    """The rule for a number, for messages."""
    rest = "; a missing one is null, or NaN in binary" if missing == "mean" else ", and none may be missing"
    return f"it must be a finite number in the range of float32{rest}"


def number_schema(missing: Missing) -> dict[str, Any]:
    """The JSON Schema of one number."""
    kind = ["number", "null"] if missing == "mean" else "number"
    return {"type": kind, "exclusiveMinimum": -_PAST_FLOAT32, "exclusiveMaximum": _PAST_FLOAT32}


def _is_valid(value: object, accepted: frozenset[type]) -> bool:
    if type(value) not in accepted:
        return False
    return not isinstance(value, int | float) or -_PAST_FLOAT32 < value < _PAST_FLOAT32
