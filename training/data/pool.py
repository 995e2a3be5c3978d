"""The user's own data: one pool of examples, the rule that splits it, and the population of each split in words."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.contract.manifest import SplitName
from training.data.dataset import Labelled, LabelledData
from training.data.split_rule import SplitRule


@dataclass(frozen=True, slots=True)
class PopulationWording:
    """The words by which a certificate describes the population of a split."""

    examples: str  # "the 569 rows of cancer.csv", "the 4,980 distinct pictures of pets (20 copies left out)"
    method: Literal["drawn", "groups", "column", "files", "time", "strata"]
    column: str = ""
    files: tuple[tuple[str, str], ...] = ()  # split to the examples of its own file
    strata: tuple[tuple[SplitName, str], ...] = ()  # split to the part of the data that it is taken from
    notes: tuple[str, ...] = ()
    copies: str = ""  # appended if examples repeat

    def population(self, name: SplitName, times: tuple[str, str] | None) -> str:
        """The population of one split; `times` are its first and last."""
        notes = f" ({'; '.join(self.notes)})" if self.notes else ""
        return f"{self._population(name, times)}{self.copies}{notes}"

    def _population(self, name: SplitName, times: tuple[str, str] | None) -> str:
        own_file = dict(self.files).get(name)
        match self.method:
            case "groups":
                return (
                    f"{self.examples}, drawn by {self.column} so that each is in one split only: the promise is about "
                    "inputs of new ones of this population"
                )
            case "column":
                return (
                    f"{self.examples}, those whose column {self.column} says {name}: the promise is about "
                    "the population that they were taken from"
                )
            case "files" if own_file is not None:
                return f"{own_file}, a file of its own: the promise is about the population that it was taken from"
            case "time" if times is not None:
                return (
                    f"{self.examples}, those of {self.column} from {times[0]} to {times[1]}, the splits following one "
                    "another in time: the promise assumes that later inputs are exchangeable with these"
                )
            case "strata":
                part = dict(self.strata)[name]
                alone = [words for _, words in self.strata].count(part) == 1
                return f"{self.examples}, {'those of' if alone else 'drawn at random from'} its {part}"
            case _:
                return f"{self.examples}, drawn at random"


@dataclass(frozen=True, slots=True)
class Pool(LabelledData):
    """N examples and the rule that divides them, for each seed anew or as the data say."""

    examples: Labelled
    split_rule: SplitRule
    wording: PopulationWording
    times: tuple[str, ...] = ()  # the time of each rank in the rule

    def parts(self, seed: int) -> dict[SplitName, Labelled]:
        """The splits. Raises DataError if one is empty."""
        return {name: self._part(name, rows) for name, rows in self.split_rule.rows(seed).items()}

    def warnings(self, parts: Mapping[SplitName, Labelled]) -> list[str]:
        """What to know of the splits of a seed: classes that train lacks, and splits far from their shares."""
        counts = np.bincount(parts["train"].labels, minlength=len(self.classes))
        lacking = [repr(name) for name, count in zip(self.classes, counts.tolist(), strict=True) if not count]
        lines = self.split_rule.distortions({name: len(part) for name, part in parts.items()})
        if lacking:
            shown = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
            lines.append(
                f"the train split has no example of {shown}: the model can hardly answer with "
                f"{'them' if len(lacking) > 1 else 'it'}. Give more examples, leave such classes out by --drop-rare, "
                "or try another --seed"
            )
        return lines

    def sizes(self, seed: int) -> Mapping[SplitName, int]:
        """The number of examples of each split."""
        return self.split_rule.sizes(seed)

    def _part(self, name: SplitName, rows: NDArray[np.int64]) -> Labelled:
        source = self.wording.population(name, self._span(rows))
        return dataclasses.replace(self.examples, source=source, groups=self.split_rule.groups).take(rows)

    def _span(self, rows: NDArray[np.int64]) -> tuple[str, str] | None:
        if self.split_rule.times is None or not len(rows):
            return None
        ranks = self.split_rule.times[rows]
        return self.times[int(ranks.min())], self.times[int(ranks.max())]
