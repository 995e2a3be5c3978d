"""What an exercise is: a question of the book, and a program that measures the answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Settings:
    """How much to measure, and where the data are."""

    quick: bool
    data_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured: JSON values, and pictures by the names of their files without ending.

    `values` are the same wherever the program runs, up to rounding: a quick run finds some of those that a full one
    finds, under the same names. `costs`, times and memory, are this machine's.
    """

    values: Mapping[str, Any]
    costs: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise. Its page's text is `pages/NAME.md.jinja`."""

    name: str  # as it is called on the command line
    question: str  # the book's, in one line
    measure: Callable[[Settings], Findings]
