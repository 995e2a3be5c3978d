"""The result of reading any form of data, before the labels are checked and the splits drawn."""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import FeaturesInput, ImageInput
from service.contract.manifest import SplitName
from training.data.coded import CodedColumn
from training.errors import DataError

EXACT = 2**24  # float32 holds every whole number up to it
ALL_SPLITS: tuple[SplitName, ...] = ("train", "tune", "calibration", "report")


class Stratum(NamedTuple):
    """A part of the data whose examples are divided among some of the splits."""

    words: str  # "folder train"
    splits: tuple[SplitName, ...]


@dataclass(frozen=True, slots=True)
class RawData:
    """N examples as they were read."""

    form: str  # a description: "a table, CSV"
    noun: Literal["row", "picture"]  # what an example is called
    input: ImageInput | FeaturesInput
    inputs: NDArray[Any]  # [N, *row_shape]; a memory map for embeddings
    labels: CodedColumn  # [N]
    first_row: int  # the number of the first row in messages: 1 for a table, 0 for an array
    sources: NDArray[np.int8] | None = None  # [N], the file of each example, if there are several
    columns: dict[str, Any] = field(default_factory=dict)  # the columns that decide the splits: pyarrow or numpy, [N]
    notes: tuple[str, ...] = ()  # remarks for the population of every split
    strata: tuple[Stratum, ...] | None = None  # one for each of `sources`, if the form fixes the splits

    def row(self, index: int | np.integer[Any]) -> int:
        """The number of an example in a message."""
        return int(index) + self.first_row


@dataclass(slots=True)
class Findings:
    """Problems in the data, collected so that the user learns of all at once: `errors` prevent a fit."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # columns that are no inputs, and how to use them

    def raise_errors(self) -> None:
        """Raise DataError if there is any error: the first, and the number of others."""
        if self.errors:
            more = len(self.errors) - 1
            rest = f" ({more} more: `demur describe` lists them)" if more else ""
            raise DataError(self.errors[0] + rest)
