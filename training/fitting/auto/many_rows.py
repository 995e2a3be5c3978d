"""The choice for many rows: by the loss on the tune split, which is large enough to choose on.

The linear map is fitted for each weight decay, from the strongest to ever weaker ones; lifts take its best one. Short
fits choose the number of coordinates. Whether moved pictures help shows in full fits only, so those are made with and
without.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from training.errors import DivergedError
from training.fitting.auto.search import Search
from training.fitting.auto.trials import Trial, significantly_better, simplest
from training.fitting.examples import Source
from training.fitting.fit import Epoch, Fit, fit, rows_at_a_time
from training.fitting.full_batch import Spectrum, fit_full_batch
from training.fitting.lbfgs import TOLERANCE
from training.fitting.recipes import Augment, FitSettings, full_batch, lifted
from training.fitting.regression import SoftmaxRegression
from training.fitting.shifted import Shifted
from training.fitting.workers import ALONE

LIFTS = (32, 64, 128)
_STRONGEST, _WEAKEST = 0.03, 1e-6  # weight decays of the linear map
_LEAST, _OF_LIFTS, _MOST = 0.001, 0.003, 0.03  # weight decays of lifts: that of the linear map, within limits
_SHORT, _FULL, _MOVED = 600, 2000, 4000  # updates: moved pictures are learnt more slowly
_FASTER = 2  # the learning rate of short fits
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Finished:
    """The winner, all trials, and the fit of the winner's settings."""

    chosen: Trial
    trials: list[Trial]
    settings: FitSettings
    fit: Fit


class ManyRows:
    """Trials that are fitted to `train` and scored on `tune`."""

    def __init__(self, train: Source, tune: Source, search: Search) -> None:
        self._train, self._tune, self._search = train, tune, search
        self._spectrum = Spectrum.of(train)

    def choose(self) -> Finished:
        """Choose, and fit with the chosen settings."""
        trials = [self._linear()] if 0 in self._search.lifts(LIFTS) else []
        trials += self._lifts(trials)
        return self._full(simplest(trials), trials)

    def _linear(self) -> Trial:
        self._search.trying(0)
        start: SoftmaxRegression | None = None

        def losses(decay: float) -> Tensor:
            nonlocal start
            settings = full_batch(len(self._train), decay * self._search.variance)
            start = self._fit_full_batch(settings, start, _TOLERANCE).model
            return losses_of(start, self._tune)

        decay, least, edge = self._search.decay(losses, _STRONGEST, _WEAKEST)
        return self._search.tried(Trial(decay, 0, "none", least, edge=edge))

    def _lifts(self, before: Sequence[Trial]) -> list[Trial]:
        """Ever more coordinates, until they are no better than fewer."""
        trials: list[Trial] = []
        for components in filter(None, self._search.lifts(LIFTS)):
            if trials and self._search.lift_of(components).components == trials[-1].lift:
                break
            fewer = [*before, *trials]
            trials.append(self._short(components, self._decay_of_lifts(before)))
            if fewer and not significantly_better(trials[-1].losses, fewer[-1].losses):
                break
        return trials

    def _decay_of_lifts(self, before: Sequence[Trial]) -> float:
        if self._search.weight_decay is not None:
            return self._search.weight_decay
        return min(max(before[0].weight_decay, _LEAST), _MOST) if before else _OF_LIFTS

    def _short(self, components: int, decay: float) -> Trial:
        settings = self._lifted(components, decay, _SHORT)
        settings = replace(settings, learning_rate=_FASTER * settings.learning_rate)
        lift = self._search.lift_of(components)
        self._search.trying(lift.components)
        generator = torch.Generator().manual_seed(self._search.seed)
        try:
            model = fit(self._train, self._tune, self._search.classes, settings, generator, lift=lift).model
            losses = losses_of(model, self._tune)
        except DivergedError:
            losses = torch.full((len(self._tune),), torch.inf)
        return self._search.tried(Trial(decay, lift.components, "none", losses, short=True))

    def _full(self, chosen: Trial, trials: list[Trial]) -> Finished:
        if not chosen.lift and self._search.augment != "shift":
            decay = float(f"{chosen.weight_decay * self._search.variance:.3g}")
            settings = full_batch(len(self._train), decay)
            fitted = self._fit_full_batch(settings, on_epoch=self._search.on_epoch)
            return Finished(chosen, trials, settings, fitted)
        finished = [self._finish(chosen, augment) for augment in self._search.augments]
        best = finished[0]
        for other in finished[1:]:
            if significantly_better(other.chosen.losses, best.chosen.losses):
                best = other
        others = [trial for trial in trials if trial is not chosen]  # its full fits are told instead
        return replace(best, trials=[*others, *(other.chosen for other in finished)])

    def _finish(self, chosen: Trial, augment: Augment) -> Finished:
        updates = _MOVED if augment == "shift" else _FULL
        settings = replace(self._lifted(chosen.lift, chosen.weight_decay, updates), augment=augment)
        lift = self._search.lift_of(chosen.lift) if chosen.lift else None
        self._search.trying(chosen.lift, augment)
        generator = torch.Generator().manual_seed(self._search.seed)
        train = self._train
        if augment == "shift" and self._search.picture is not None:
            train = Shifted(train, self._search.picture)
        fitted = fit(train, self._tune, self._search.classes, settings, generator, self._search.on_epoch, lift=lift)
        losses = losses_of(fitted.model, self._tune)
        trial = self._search.tried(replace(chosen, augment=augment, losses=losses, short=False))
        return Finished(trial, [], settings, fitted)

    def _fit_full_batch(
        self,
        settings: FitSettings,
        start: SoftmaxRegression | None = None,
        tolerance: float = TOLERANCE,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Fit:
        return fit_full_batch(
            self._train,
            self._tune,
            self._search.classes,
            settings,
            on_epoch,
            spectrum=self._spectrum,
            start=start,
            tolerance=tolerance,
        )

    def _lifted(self, components: int, decay: float, updates: int) -> FitSettings:
        return lifted(len(self._train), self._train.width, components, self._search.variance, decay, updates)


def losses_of(model: SoftmaxRegression, source: Source) -> Tensor:
    """The loss of each example, float32 `[N]`, in the order of the source's blocks, on the CPU."""
    rows = rows_at_a_time(source.width, len(model.biases))
    parts = [
        torch.nn.functional.cross_entropy(model.logits(some.features), some.labels, reduction="none")
        for block in source.blocks(ALONE)
        for some in block.split(rows)
    ]
    return torch.cat(parts).float().cpu()
