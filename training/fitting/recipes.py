"""The settings of a fit, and the recipes that give them their defaults."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from training.data.options import Recipe

Schedule = Literal["constant", "cosine"]
Keep = Literal["last", "best"]
Precision = Literal["float32", "float64"]
Augment = Literal["none", "shift"]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Everything that determines a fit, except the data and the device."""

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    weight_decay: float
    schedule: Schedule
    clip_norm: float | None
    keep: Keep  # the last epoch's weights, or those of the epoch with the lowest tune loss
    precision: Precision = "float32"  # of features and weights during the fit
    lift: int = 0  # the number of principal coordinates whose products are features too; 0 for none
    augment: Augment = "none"  # what is done to the pictures of a minibatch


# Exactly as in the chapter: plain minibatch SGD, and the last epoch's weights.
CHAPTER = FitSettings(
    epochs=10,
    batch_size=256,
    learning_rate=0.1,
    momentum=0.0,
    weight_decay=0.0,
    schedule="constant",
    clip_norm=None,
    keep="last",
)

# No neighbour that differs in one setting has a lower loss on the tune split, within the noise.
# `make recipe` measures it; docs/evidence/fit.md has the table.
TUNED = FitSettings(
    epochs=25,
    batch_size=256,
    learning_rate=0.1,
    momentum=0.9,
    weight_decay=0.0,
    schedule="cosine",
    clip_norm=None,
    keep="best",
)

# With fewer updates a fit of few examples has hardly begun, and with larger minibatches an epoch has few updates.
_MIN_UPDATES = 2000
_MIN_BATCHES = 32  # in an epoch
_MIN_BATCH_SIZE = 16


def for_size(settings: FitSettings, examples: int) -> FitSettings:
    """The settings adapted to the size of a training split: for a small one smaller minibatches and more epochs.

    >>> for_size(TUNED, 50_000) == TUNED
    True
    >>> small = for_size(TUNED, 320)
    >>> small.batch_size, small.epochs  # 20 updates an epoch
    (16, 100)
    """
    batch_size = min(settings.batch_size, max(_MIN_BATCH_SIZE, examples // _MIN_BATCHES))
    updates = math.ceil(examples / batch_size)
    epochs = max(settings.epochs, math.ceil(_MIN_UPDATES / updates))
    return replace(settings, batch_size=batch_size, epochs=epochs)


def combinations(base: FitSettings, values: Mapping[str, Sequence[Any]]) -> list[FitSettings]:
    """`base` with every combination of the `values` of its fields; the last field changes fastest."""
    return [replace(base, **dict(zip(values, row, strict=True))) for row in itertools.product(*values.values())]


RECIPES: dict[Recipe, FitSettings] = {"chapter": CHAPTER, "tuned": TUNED}
