"""Interleaved rounds of all compared servers, and their statistics."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Compared = TypeVar("Compared")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Spread:
    """The median over the rounds, the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """
        >>> Spread.of([3, 1, 2])
        Spread(median=2, low=1, high=3)
        """
        return cls(statistics.median(values), min(values), max(values))

    def shown(self, form: str) -> str:
        """
        >>> Spread.of([2.5, 2, 4]).shown(".1f")
        '2.5 (2.0 to 4.0)'
        """
        return f"{self.median:{form}} ({self.low:{form}} to {self.high:{form}})"


def ratios(values: Sequence[float], others: Sequence[float]) -> Spread:
    """Ratios of two results in the same round: a slow round does not change them.

    >>> ratios([10, 5, 30], [20, 10, 50]).median
    0.5
    """
    return Spread.of([value / other for value, other in zip(values, others, strict=True)])


def interleaved(
    compared: Sequence[Compared],
    rounds: int,
    measure: Callable[[Compared], Result],
    name: Callable[[Compared], str] = str,
) -> dict[str, list[Result]]:
    """The results of each in every round, by name; each round starts with another one.

    >>> interleaved(["a", "b"], 2, measure=ord)
    {'a': [97, 97], 'b': [98, 98]}
    """
    measurements: dict[str, list[Result]] = {name(each): [] for each in compared}
    for number in range(rounds):
        first = number % len(compared)
        for each in [*compared[first:], *compared[:first]]:
            measurements[name(each)].append(measure(each))
    return measurements
