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
Optimizer = Literal["sgd", "lbfgs"]


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
    optimizer: Optimizer = "sgd"  # lbfgs: each epoch is one step on all examples, whose length it finds itself


@dataclass(frozen=True, slots=True)
class Given:
    """Settings that the recipe `auto` leaves as the user gives them; None where it chooses."""

    weight_decay: float | None = None
    lift: int | None = None
    augment: Augment | None = None


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


_MAX_STEPS = 200  # of L-BFGS
_RATE = 0.18  # of a learning rate times the square root of the number of features


def full_batch(examples: int, weight_decay: float, lift: int = 0, augment: Augment = "none") -> FitSettings:
    """The settings of a fit by L-BFGS, which ends before the last epoch where it has found the minimum."""
    return FitSettings(
        epochs=_MAX_STEPS,
        batch_size=examples,
        learning_rate=1.0,
        momentum=0.0,
        weight_decay=weight_decay,
        schedule="constant",
        clip_norm=None,
        keep="last",
        lift=lift,
        augment=augment,
        optimizer="lbfgs",
    )


def lifted(examples: int, width: int, lift: int, variance: float, decay: float, updates: int) -> FitSettings:
    """The settings of a fit by SGD of a lift on D = `width` features of this mean variance.

    Learning rate and `decay` are of features that are scaled to variance 1. The rate falls with the square root of
    their number: the larger the norm of an example, the smaller the rate at which SGD diverges.

    >>> settings = lifted(50_000, 784, 64, 0.09, 0.003, 3000)
    >>> settings.epochs, settings.learning_rate, settings.weight_decay
    (16, 0.0374, 0.00027)
    """
    products = lift * (lift + 1) // 2
    rate = _RATE / math.sqrt(width + products) / variance
    batch_size = min(TUNED.batch_size, examples)
    return replace(
        TUNED,
        batch_size=batch_size,
        epochs=max(2, math.ceil(updates / math.ceil(examples / batch_size))),
        learning_rate=float(f"{rate:.3g}"),
        weight_decay=float(f"{decay * variance:.3g}"),
        lift=lift,
    )


def combinations(base: FitSettings, values: Mapping[str, Sequence[Any]]) -> list[FitSettings]:
    """`base` with every combination of the `values` of its fields; the last field changes fastest."""
    return [replace(base, **dict(zip(values, row, strict=True))) for row in itertools.product(*values.values())]


RECIPES: dict[Recipe, FitSettings] = {"chapter": CHAPTER, "tuned": TUNED}
