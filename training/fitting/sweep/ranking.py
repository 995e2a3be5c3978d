"""Ranks settings by their loss on the tune split, averaged over the seeds."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from training.fitting.recipes import FitSettings
from training.fitting.sweep.runs import Run


@dataclass(frozen=True, slots=True)
class Standing:
    """A setting and its results over the seeds. The means are over the seeds that did not diverge."""

    settings: FitSettings
    losses: tuple[float, ...]  # on tune, of the kept epochs
    accuracies: tuple[float, ...]
    diverged: int  # number of seeds

    @property
    def loss(self) -> float:
        """The mean loss, infinite where every seed diverged."""
        return statistics.fmean(self.losses) if self.losses else math.inf

    @property
    def standard_error(self) -> float | None:
        """The standard error of the mean loss; None for fewer than two seeds."""
        return statistics.stdev(self.losses) / math.sqrt(len(self.losses)) if len(self.losses) > 1 else None

    @property
    def accuracy(self) -> float:
        """The mean accuracy, 0 where every seed diverged."""
        return statistics.fmean(self.accuracies) if self.accuracies else 0.0


def rank(runs: Sequence[Run]) -> list[Standing]:
    """The settings, best first. Those with a diverged seed come after all others."""
    standings = [
        _standing(settings, [run for run in runs if run.settings == settings])
        for settings in dict.fromkeys(run.settings for run in runs)
    ]
    return sorted(standings, key=lambda standing: (standing.diverged, standing.loss))


def _standing(settings: FitSettings, runs: list[Run]) -> Standing:
    kept = [run.kept for run in runs if run.kept is not None]
    losses, accuracies = (tuple(getattr(epoch.tune, name) for epoch in kept) for name in ("loss", "accuracy"))
    return Standing(settings, losses, accuracies, len(runs) - len(kept))
