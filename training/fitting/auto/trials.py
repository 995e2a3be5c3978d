"""Trials of settings, and which of them wins: the simplest that is as good as the best, within a standard error."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from training.fitting.recipes import Augment

Edge = Literal["strongest", "weakest"]

_STEP = 10**-0.5  # from one to the next


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings, and the loss of each of N examples that the fit had not seen."""

    weight_decay: float  # where every feature has variance 1
    lift: int  # coordinates; 0 for none
    augment: Augment
    losses: torch.Tensor  # [N]
    short: bool = False  # not fitted to the end: comparable with other short ones only
    temperature: float = 1.0  # that the losses are at
    edge: Edge | None = None  # of its path, where the weight decay lies at one

    @property
    def loss(self) -> float:
        """The mean."""
        return float(self.losses.double().mean())

    def standard_error(self, other: "Trial") -> float | None:
        """Of the difference of the two losses; None where one is not finite."""
        error = standard_error(self.losses - other.losses)
        return error if math.isfinite(error) else None


def path(
    losses: Callable[[float], torch.Tensor], strongest: float, weakest: float
) -> tuple[float, torch.Tensor, Edge | None]:
    """The weight decay of lowest mean loss, its losses, and whether it is the first or the last that can be tried.

    `losses` gives those of a decay.

    It goes from the strongest to ever weaker ones, so that each fit can start from the one before, and ends with the
    first that is worse: the loss has one minimum, but for noise.

    >>> path(lambda decay: torch.tensor([abs(decay - 0.1)]), 1.0, 1e-7)
    (0.1, tensor([0.]), None)
    >>> path(lambda decay: torch.tensor([decay]), 1.0, 0.01)
    (0.01, tensor([0.0100]), 'weakest')
    """
    best, best_losses = strongest, losses(strongest)
    while best > weakest * 1.5:
        decay = float(f"{best * _STEP:.2g}")
        tried = losses(decay)
        if not float(tried.mean()) < float(best_losses.mean()):
            return best, best_losses, "strongest" if best == strongest else None
        best, best_losses = decay, tried
    return best, best_losses, "weakest"


def significantly_better(candidate: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether the mean of `candidate` is lower by more than a standard error of the paired difference, `[N]` each.

    >>> significantly_better(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.1, 2.1, 3.3]))
    True
    >>> significantly_better(torch.tensor([1.0, 2.0]), torch.tensor([1.4, 1.8]))
    False
    """
    return float((other.double() - candidate.double()).mean()) > standard_error(other - candidate)


def standard_error(differences: torch.Tensor) -> float:
    """Of a mean of `[N]`; infinite for a single one.

    >>> standard_error(torch.tensor([1.0, 2.0, 3.0]))  # 1 / sqrt(3)
    0.5773502691896258
    """
    return float(differences.double().std()) / math.sqrt(len(differences)) if len(differences) > 1 else math.inf


def simplest(trials: Sequence[Trial]) -> Trial:
    """The first trial that no later one beats by more than a standard error; they are in order from the simplest.

    >>> trial = lambda lift, *losses: Trial(0.1, lift, "none", torch.tensor(losses))
    >>> simplest([trial(0, 1.0, 2.0), trial(8, 0.9, 2.0), trial(16, 0.5, 1.6)]).lift
    16
    >>> simplest([trial(0, 1.0, 2.0), trial(8, 0.4, 2.4)]).lift
    0
    """
    chosen = trials[0]
    for trial in trials[1:]:
        if significantly_better(trial.losses, chosen.losses):
            chosen = trial
    return chosen
