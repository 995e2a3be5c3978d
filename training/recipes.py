"""What a fit can be told: the settings, and the recipes that give them their defaults."""

from dataclasses import dataclass
from typing import Literal

from training.sgd import Schedule

Recipe = Literal["chapter", "tuned"]
Keep = Literal["last", "best"]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Everything that shapes a fit, but for the data and the device."""

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    weight_decay: float
    schedule: Schedule
    clip_norm: float | None
    keep: Keep  # the last epoch's weights, or those of the epoch with the lowest tune loss


# Exactly the chapter's: plain minibatch SGD, and the last epoch's weights.
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

# By the loss on the tune split no neighbour that differs in one setting is better, but for what is lost in the noise.
# `make recipe` measures it; docs/architecture.md has the table.
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

RECIPES: dict[Recipe, FitSettings] = {"chapter": CHAPTER, "tuned": TUNED}
