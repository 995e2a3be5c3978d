"""What the value of an option may be; argparse says the rule where one may not."""

import argparse
import math
from collections.abc import Callable
from typing import Any, TypeVar

from training.cost_matrix import LARGEST

Number = TypeVar("Number", int, float)


class Several(argparse.Action):
    """Keeps several values, once each, in the order given."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:  # noqa: ARG002
        setattr(namespace, self.dest, tuple(dict.fromkeys(values)))


def positive_int(text: str) -> int:
    """A whole number from 1."""
    return _number(text, int, lambda value: value >= 1, "a whole number from 1")


def count(text: str) -> int:
    """A whole number from 0."""
    return _number(text, int, lambda value: value >= 0, "a whole number from 0")


def seed(text: str) -> int:
    """What numpy and torch both take for a seed."""
    return _number(text, int, lambda value: 0 <= value < 2**63, "a whole number from 0 to 2^63 - 1")


def positive(text: str) -> float:
    """A finite number over 0."""
    return _number(text, float, lambda value: 0 < value < math.inf, "a number over 0")


def cost(text: str) -> float:
    """What something costs: sums over any number of inputs stay finite."""
    return _number(text, float, lambda value: 0 < value <= LARGEST, f"a number over 0, at most {LARGEST:g}")


def not_negative(text: str) -> float:
    """A finite number from 0."""
    return _number(text, float, lambda value: 0 <= value < math.inf, "a number from 0")


def share(text: str) -> float:
    """A number from 0 to under 1."""
    return _number(text, float, lambda value: 0 <= value < 1, "a number from 0 to under 1")


def open_share(text: str) -> float:
    """A number between 0 and 1."""
    return _number(text, float, lambda value: 0 < value < 1, "a number between 0 and 1")


def probability(text: str) -> float:
    """A number from 0 to 1."""
    return _number(text, float, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def _number(text: str, kind: Callable[[str], Number], allowed: Callable[[Number], bool], rule: str) -> Number:
    try:
        value = kind(text)
        if allowed(value):
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not {rule}")
