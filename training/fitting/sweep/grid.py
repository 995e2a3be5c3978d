"""What a sweep tries: the values of each setting, and every combination of them."""

import argparse
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from training.cli.values import count
from training.fitting.recipes import FitSettings

MOST = 10_000  # values of one range

_FORM = "a value, a list of them with commas between, or low:high:count"

Value = TypeVar("Value", int, float, str)


def several(kind: Callable[[str], Value]) -> Callable[[str], tuple[Value, ...]]:
    """What an option's text says, for argparse: values and ranges with commas between, each once, in their order.

    `low:high:count` is a geometric row, its numbers rounded to six digits, so that they can be typed again.

    >>> several(float)("1e-3:10:5"), several(float)("0,0.5:0.9:2")
    ((0.001, 0.01, 0.1, 1.0, 10.0), (0.0, 0.5, 0.9))
    >>> several(int)("1:100:5")
    (1, 3, 10, 32, 100)
    """

    def values(text: str) -> tuple[Value, ...]:
        return tuple(dict.fromkeys(value for part in text.split(",") for value in _values(part, text, kind)))

    return values


def combinations(base: FitSettings, values: Mapping[str, Sequence[Any]]) -> list[FitSettings]:
    """`base` with every combination of the `values` of its fields; the last field's change fastest."""
    return [
        dataclasses.replace(base, **dict(zip(values, row, strict=True))) for row in itertools.product(*values.values())
    ]


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
        raise argparse.ArgumentTypeError(f"{part!r} must rise from over 0: low is {low:g}, high {high:g}")
    if not 2 <= number <= MOST:
        raise argparse.ArgumentTypeError(f"{part!r} must have a count from 2 to {MOST}")
    for i in range(number):
        value = low * (high / low) ** (i / (number - 1))
        yield kind(f"{value:.0f}" if isinstance(low, int) else repr(float(f"{value:.6g}")))
