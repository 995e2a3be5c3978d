"""Data of a user's own: one pool of examples, the rule that divides it, and in words what that means."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.contract.manifest import SplitName
from training.data.dataset import Labelled, LabelledData
from training.data.drawing import Drawing
from training.errors import DataError


@dataclass(frozen=True, slots=True)
class Wording:
    """How a certificate names the population of a split."""

    what: str  # "the 569 rows of cancer.csv", "the 4,980 distinct pictures of pets (20 copies left out)"
    way: Literal["drawn", "groups", "column", "files", "time", "apart"]
    column: str = ""
    files: tuple[tuple[str, str], ...] = ()  # split to the name of its own file
    notes: tuple[str, ...] = ()
    copies: str = ""  # what is added where examples repeat

    def source(self, name: SplitName, times: tuple[str, str] | None) -> str:
        """The population of one split; `times` are its first and last."""
        notes = f" ({'; '.join(self.notes)})" if self.notes else ""
        return f"{self._population(name, times)}{self.copies}{notes}"

    def _population(self, name: SplitName, times: tuple[str, str] | None) -> str:
        own = dict(self.files).get(name)
        match self.way:
            case "groups":
                return (
                    f"{self.what}, drawn by {self.column} so that each is whole on one side: the promise is about "
                    "inputs of new ones of this population"
                )
            case "column":
                return (
                    f"{self.what}, those whose column {self.column} says {name}: the promise is about "
                    "the population that they were taken from"
                )
            case "files" if own is not None:
                return f"{own}, a file of its own: the promise is about the population that it was taken from"
            case "time" if times is not None:
                return (
                    f"{self.what}, those of {self.column} from {times[0]} to {times[1]}, the splits following one "
                    "another in time: that what comes later is exchangeable with these is an assumption"
                )
            case "apart":
                part = "training files" if name in ("train", "tune") else "test files (t10k)"
                return f"{self.what}, drawn at random from its {part}"
            case _:
                return f"{self.what}, drawn at random"


@dataclass(frozen=True, slots=True)
class Pool(LabelledData):
    """N examples that are divided for each seed anew, or as they say themselves."""

    examples: Labelled
    drawing: Drawing
    wording: Wording
    times: tuple[str, ...] = ()  # what the drawing's ranks of time stand for

    def parts(self, seed: int) -> dict[SplitName, Labelled]:
        """The splits. Raises DataError where one is empty, or a class has no example in train."""
        rows = self.drawing.rows(seed)
        parts = {name: self._part(name, taken) for name, taken in rows.items()}
        lacking = np.flatnonzero(np.bincount(parts["train"].labels, minlength=len(self.classes)) == 0)
        if len(lacking):
            raise DataError(
                f"the train split has no example of {self.classes[int(lacking[0])]!r}: "
                "there are too few, or all stand in another split"
            )
        return parts

    def sizes(self, seed: int) -> Mapping[SplitName, int]:
        """How many examples each split gets."""
        return self.drawing.sizes(seed)

    def _part(self, name: SplitName, rows: NDArray[np.int64]) -> Labelled:
        source = self.wording.source(name, self._span(rows))
        return dataclasses.replace(self.examples, source=source, groups=self.drawing.groups).take(rows)

    def _span(self, rows: NDArray[np.int64]) -> tuple[str, str] | None:
        if self.drawing.times is None or not len(rows):
            return None
        ranks = self.drawing.times[rows]
        return self.times[int(ranks.min())], self.times[int(ranks.max())]
