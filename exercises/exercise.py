"""An exercise: a question of the book, and a program that measures the answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Settings:
    """How much to measure, and the folder of the data."""

    quick: bool
    data_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """The results: JSON values, and pictures by file name without ending.

    `values` are the same on every machine, up to rounding; a quick run has some of the values of a full run, under the
    same names. `costs`, times and memory, are those of this machine.
    """

    values: Mapping[str, Any]
    costs: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise. Its page's text is `pages/NAME.md.jinja`."""

    name: str  # on the command line
    question: str  # of the book, in one line
    measure: Callable[[Settings], Findings]
