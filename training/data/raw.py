"""What each form of data is read as, before its labels are checked and its splits drawn."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import FeaturesInput, ImageInput
from service.contract.manifest import SplitName
from training.data.coded import Coded

ALL_SPLITS: tuple[SplitName, ...] = ("train", "tune", "calibration", "report")


@dataclass(frozen=True, slots=True)
class Raw:
    """N examples as they were found."""

    form: str  # in words
    one: Literal["row", "picture"]  # what an example is called
    input: ImageInput | FeaturesInput
    inputs: NDArray[Any]  # [N, *row_shape]; a memory map for embeddings
    labels: Coded  # [N]
    first_row: int  # the number of the first row in messages: 1 for a table, 0 for an array
    sources: NDArray[np.int8] | None = None  # [N], which of several files each example is from; None: all of one
    columns: dict[str, Any] = field(default_factory=dict)  # name to `[N]`, pyarrow or numpy: what splits go by
    notes: tuple[str, ...] = ()  # what the source of every split must say
    apart: tuple[tuple[SplitName, ...], ...] | None = None  # what each of `sources` is for, where the form knows it

    def row(self, index: int | np.integer[Any]) -> int:
        """The number of an example, as a message has it."""
        return int(index) + self.first_row
