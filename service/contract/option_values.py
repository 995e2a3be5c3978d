"""Types for the values of command-line options. argparse prints the rule for an invalid value."""

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

_Number = TypeVar("_Number", int, float)


def positive_int(text: str) -> int:
    """A whole number from 1."""
    return number(text, int, lambda value: value >= 1, "a whole number from 1")


def positive(text: str) -> float:
    """A finite number over 0."""
    return number(text, float, lambda value: 0 < value < math.inf, "a number over 0")


def open_share(text: str) -> float:
    """A number between 0 and 1."""
    return number(text, float, lambda value: 0 < value < 1, "a number between 0 and 1")


def probability(text: str) -> float:
    """A number from 0 to 1."""
    return number(text, float, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def number(text: str, kind: Callable[[str], _Number], allowed: Callable[[_Number], bool], rule: str) -> _Number:
    """A number for which `allowed` is true. Otherwise raises the error that argparse prints, with `rule`.

    >>> number("3", int, lambda value: value >= 1, "a whole number from 1")
    3
    """
    try:
        value = kind(text)
        if allowed(value):
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not {rule}")
