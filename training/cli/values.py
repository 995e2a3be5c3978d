"""The types of options that only the training half has."""

import argparse
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from service.contract.option_values import number
from training.certification.cost_matrix import MAX_COST

MAX_VALUES = 10_000  # of one range
MAX_COORDINATES = 1024  # half a million products
_COORDINATES = 64

_FORM = "a value, values separated by commas, or low:high:count"

Value = TypeVar("Value", int, float, str)


class Several(argparse.Action):
    """Keeps several values, once each, in the order given."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:  # noqa: ARG002
        setattr(namespace, self.dest, tuple(dict.fromkeys(values)))


def count(text: str) -> int:
    """A whole number from 0."""
    return number(text, int, lambda value: value >= 0, "a whole number from 0")


def seed(text: str) -> int:
    """A seed that both numpy and torch accept."""
    return number(text, int, lambda value: 0 <= value < 2**63, "a whole number from 0 to 2^63 - 1")


def cost(text: str) -> float:
    """A cost, so small that sums over any number of inputs stay finite."""
    return number(text, float, lambda value: 0 < value <= MAX_COST, f"a number over 0, at most {MAX_COST:g}")


def not_negative(text: str) -> float:
    """A finite number from 0."""
    return number(text, float, lambda value: 0 <= value < math.inf, "a number from 0")


def share(text: str) -> float:
    """A number from 0 to under 1."""
    return number(text, float, lambda value: 0 <= value < 1, "a number from 0 to under 1")


def lift(text: str) -> int:
    """The number of coordinates of a lift, 0 for none.

    >>> lift("quadratic:128"), lift("quadratic"), lift("none")
    (128, 64, 0)
    """
    name, _, count = text.partition(":")
    if text == "none":
        return 0
    if name != "quadratic":
        raise argparse.ArgumentTypeError(f"{text!r} is not quadratic, quadratic:K or none")
    rule = f"a whole number of coordinates from 1 to {MAX_COORDINATES}"
    return number(count, int, lambda value: 1 <= value <= MAX_COORDINATES, rule) if count else _COORDINATES


def several(kind: Callable[[str], Value]) -> Callable[[str], tuple[Value, ...]]:
    """A type for argparse: values and ranges separated by commas, without repetitions, in the order given.

    `low:high:count` is a geometric sequence. Its numbers are rounded to six digits, to be typed again.

    >>> several(float)("1e-3:10:5"), several(float)("0,0.5:0.9:2")
    ((0.001, 0.01, 0.1, 1.0, 10.0), (0.0, 0.5, 0.9))
    >>> several(int)("1:100:5")
    (1, 3, 10, 32, 100)
    """

    def parse(text: str) -> tuple[Value, ...]:
        return tuple(dict.fromkeys(value for part in text.split(",") for value in _values(part, text, kind)))

    return parse


def _values(part: str, text: str, kind: Callable[[str], Value]) -> Iterator[Value]:
    if ":" not in part:
        if not part:
            raise argparse.ArgumentTypeError(f"{text!r} is not {_FORM}")
        yield kind(part)
        return
    low_text, _, rest = part.partition(":")
    high_text, _, count_text = rest.partition(":")
    low, high, number = kind(low_text), kind(high_text), count(count_text) if count_text else 0
    if isinstance(low, str) or isinstance(high, str) or not count_text:
        raise argparse.ArgumentTypeError(f"{part!r} is not {_FORM}")
    if not 0 < low < high:
        raise argparse.ArgumentTypeError(f"{part!r} must have 0 < low < high: low is {low:g}, high {high:g}")
    if not 2 <= number <= MAX_VALUES:
        raise argparse.ArgumentTypeError(f"{part!r} must have a count from 2 to {MAX_VALUES}")
    for i in range(number):
        value = low * (high / low) ** (i / (number - 1))
        yield kind(f"{value:.0f}" if isinstance(low, int) else repr(float(f"{value:.6g}")))
