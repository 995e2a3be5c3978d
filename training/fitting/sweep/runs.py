"""The runs of a sweep: each setting with each seed."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from training.data.dataset import LabelledData
from training.data.encoders import encoder_for
from training.data.splits import split
from training.fitting.fit import Epoch, Fit
from training.fitting.recipes import FitSettings
from training.fitting.source import examples
from training.fitting.sweep.together import Diverged, fit_together, shared


@dataclass(frozen=True, slots=True)
class Run:
    """One setting with one seed, and its outcome."""

    settings: FitSettings
    seed: int
    outcome: Fit | Diverged
    seconds: float  # its share of the time of the runs fitted together

    @property
    def kept(self) -> Epoch | None:
        """The epoch whose weights the fit returns; None for a run that diverged."""
        return self.outcome.history[self.outcome.best_epoch - 1] if isinstance(self.outcome, Fit) else None


def run(
    dataset: LabelledData,
    grid: Sequence[FitSettings],
    seeds: Sequence[int],
    device: torch.device,
    on_epoch: Callable[[int], None] | None = None,
    on_group: Callable[[list[Run]], None] | None = None,
) -> list[Run]:
    """Every setting of `grid` with every seed, in that order.

    A seed is that of the `fit` command: it sets splits, initial weights and order. The splits are those of the tuned
    recipe, so that no test image influences settings chosen on the tune split. `on_epoch` gets the number of runs that
    finished an epoch, `on_group` the runs that are finished. Raises TrainingError.
    """
    runs: dict[tuple[FitSettings, int], Run] = {}
    for seed in seeds:
        for group in _groups(dataset, grid, seed, device, on_epoch):
            runs |= {(one.settings, one.seed): one for one in group}
            if on_group is not None:
                on_group(group)
    return [runs[settings, seed] for settings in grid for seed in seeds]


def _groups(
    dataset: LabelledData,
    grid: Sequence[FitSettings],
    seed: int,
    device: torch.device,
    on_epoch: Callable[[int], None] | None,
) -> Iterator[list[Run]]:
    splits = split(dataset, "tuned", seed)
    encoder = encoder_for(dataset.input, splits.train)
    for precision in dict.fromkeys(settings.precision for settings in grid):
        dtype = getattr(torch, precision)
        train, tune = (examples(part, encoder, device, dtype) for part in (splits.train, splits.tune))
        of_precision = [settings for settings in grid if settings.precision == precision]
        for kind in dict.fromkeys(map(shared, of_precision)):
            group = [settings for settings in of_precision if shared(settings) == kind]
            start = time.perf_counter()
            generator = torch.Generator().manual_seed(seed)
            outcomes = fit_together(train, tune, len(dataset.classes), group, generator, on_epoch)
            seconds = (time.perf_counter() - start) / len(group)
            yield [Run(settings, seed, outcome, seconds) for settings, outcome in zip(group, outcomes, strict=True)]
