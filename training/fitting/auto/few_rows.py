"""The choice for few rows: by cross-validation over the train and tune splits together.

One small tune split would choose by chance. Each example is scored by a fit that has not seen it or its group, and the
fits of all folds are one minimisation. The features are rotated to their principal axes, which changes no loss and no
norm of weights; there L-BFGS needs a fifth of the passes, and D features of N < D rows become N.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.fitting import threads
from training.fitting.auto.search import Search
from training.fitting.auto.trials import Trial, significantly_better, simplest
from training.fitting.lbfgs import minimise
from training.fitting.lift import QuadraticLift
from training.fitting.recipes import Augment

FOLDS = 5
_STRONGEST, _WEAKEST = 1.0, 1e-7  # weight decays
_ABOVE = 10  # by how much more features may need a stronger decay
LIFTS = (8, 16, 32, 64)
_MAX_NUMBERS = 2**24  # of the features, 64 MB
_ITERATIONS = 200
_TOLERANCE = 1e-3
_TEMPERATURES = 33  # from 1 to 100
_NOISE = 1e-6  # of the largest eigenvalue


@dataclass(frozen=True, slots=True)
class Rows:
    """N examples, with copies of them that are trained on in their place and never scored."""

    features: Tensor  # [N, D]
    labels: Tensor  # int64 [N]
    folds: Tensor  # int64 [N], the fold that each is scored in
    classes: int
    moved: Tensor | None = None  # [M N, D], the pictures moved by a pixel, one after another


def folds(count: int, groups: NDArray[np.int64] | None, seed: int) -> Tensor:
    """The fold of each of N examples, `[N]`: of about equal sizes; a group is in one fold.

    >>> folds(4, np.array([7, 7, 9, 9]), 0).tolist()
    [0, 0, 1, 1]
    """
    rng = np.random.default_rng([seed, 4])
    if groups is None:
        return torch.from_numpy(rng.permutation(count) % FOLDS)
    names, numbers = np.unique(groups, return_inverse=True)
    return torch.from_numpy((rng.permutation(len(names)) % FOLDS)[numbers])


class FewRows:
    """Trials that are fitted to all folds but one, and scored on that one."""

    def __init__(self, rows: Rows, search: Search) -> None:
        self._rows, self._search = rows, search

    def choose(self) -> tuple[Trial, list[Trial]]:
        """The winner, and all trials."""
        trials = self._lifts()
        chosen = simplest(trials)
        if "shift" in self._search.augments and self._rows.moved is not None:
            moved = self._trial(chosen.lift, "shift", chosen.weight_decay)
            trials.append(moved)
            only = self._search.augments == ("shift",)
            chosen = moved if only or significantly_better(moved.losses, chosen.losses) else chosen
        return chosen, trials

    def _lifts(self) -> list[Trial]:
        """Without a lift, then ever more coordinates until more are no better than the best before."""
        trials: list[Trial] = []
        for components in self._search.lifts(LIFTS):
            if components:
                kept = self._search.lift_of(components).components
                width = self._rows.features.shape[1] + kept * (kept + 1) // 2
                if trials and (kept == trials[-1].lift or width * len(self._rows.features) > _MAX_NUMBERS):
                    break
            trials.append(self._trial(components, "none", trials[0].weight_decay if trials else None))
            if len(trials) > 1 and not significantly_better(trials[-1].losses, trials[-2].losses):
                break
        return trials

    def _trial(self, components: int, augment: Augment, simpler: float | None) -> Trial:
        """`simpler` is the weight decay of a simpler trial, where there is one."""
        lift = self._search.lift_of(components) if components else None
        kept = 0 if lift is None else lift.components
        self._search.trying(kept, augment)
        features = _lifted(self._rows.features, lift)
        times = 1
        if augment == "shift" and self._rows.moved is not None:
            features = torch.cat([features, _lifted(self._rows.moved, lift)])
            times = len(features) // len(self._rows.features)
        folds = _Folds(features, self._rows, times, self._search.variance)
        if augment == "none" or simpler is None:
            strongest = _STRONGEST if simpler is None else min(_STRONGEST, _ABOVE * simpler)
            decay, losses, edge = self._search.decay(folds.losses, strongest, _WEAKEST)
            if strongest < _STRONGEST and edge == "strongest":
                edge = None  # the features alone were tried with stronger ones
        else:  # fits to moved pictures take longest, and need no other decay
            decay, losses, edge = simpler, folds.losses(simpler), None
        temperature = folds.temperatures[decay]
        return self._search.tried(Trial(decay, kept, augment, losses, edge=edge, temperature=temperature))


def _lifted(features: Tensor, lift: QuadraticLift | None) -> Tensor:
    """The features and their products, `[N, D + K (K + 1) / 2]`."""
    if lift is None:
        return features
    z = lift.coordinates(features)
    first, second = torch.triu_indices(lift.components, lift.components)
    occurrences = torch.where(first == second, 1.0, 2.0**0.5)  # of a pair in a symmetric matrix
    scales = (lift.scales[first, second] * occurrences).to(features.dtype)
    return torch.cat([features, z[:, first] * z[:, second] * scales], dim=1)


class _Folds:
    """The fits of all folds, as one function of their parameters, R = FOLDS rows of C (F + 1) numbers."""

    def __init__(self, features: Tensor, rows: Rows, times: int, variance: float) -> None:
        count = len(rows.features)
        self._classes, self._rows, self._variance = rows.classes, rows, variance
        mean = features[:count].mean(dim=0)
        self._features, self._variances = _rotated(features - mean, count)  # [N, F], [F]
        self._labels = rows.labels.repeat(times)
        present = torch.unique(rows.folds)
        weights = torch.stack([(rows.folds != fold).to(features.dtype).repeat(times) for fold in present])
        self._weights = weights / weights.sum(dim=1, keepdim=True)  # [R, N]
        self._place = torch.searchsorted(present, rows.folds)
        self._truth = torch.nn.functional.one_hot(self._labels, rows.classes).T.to(features.dtype)  # [C, N]
        self._parameters = features.new_zeros(len(present), rows.classes * (self._features.shape[1] + 1))
        self._decay = 0.0
        self.temperatures: dict[float, float] = {}  # of each decay that was tried

    def losses(self, decay: float) -> Tensor:
        """The loss of each example by the fit of its fold, at the temperature that suits all, `[N]`.

        Starts from the fits before.
        """
        self._decay = decay * self._variance
        rows, width = self._features.shape
        with threads.for_product(rows, width, len(self._parameters) * self._classes):
            found = minimise(self, self._parameters, self._scale, _ITERATIONS, tolerance=_TOLERANCE)
        self._parameters = found.parameters
        count = len(self._rows.folds)
        logits = self._logits(found.parameters)[self._place, :, torch.arange(count, device=self._place.device)]
        self.temperatures[decay], losses = at_best_temperature(logits, self._labels[:count])
        return losses

    def __call__(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Values `[R]` and gradients `[R, P]`."""
        runs, width = len(parameters), self._features.shape[1]
        logits = self._logits(parameters)
        logits -= logits.amax(dim=1, keepdim=True)
        of_truth = (logits * self._truth).sum(dim=1)
        errors = logits.exp_()
        totals = errors.sum(dim=1, keepdim=True)
        losses = ((totals.log().squeeze(1) - of_truth) * self._weights).sum(dim=1)
        errors /= totals
        errors -= self._truth
        errors *= self._weights[:, None]
        weights = self._parts(parameters)[0]
        gradient = (errors.flatten(0, 1) @ self._features).view(runs, self._classes, width)
        gradient.add_(weights, alpha=self._decay)
        values = losses + 0.5 * self._decay * weights.square().sum(dim=(1, 2))
        return values, torch.cat([gradient.flatten(1), errors.sum(dim=2)], dim=1)

    def _logits(self, parameters: Tensor) -> Tensor:
        """`[R, C, N]`."""
        weights, biases = self._parts(parameters)
        logits = weights.flatten(0, 1) @ self._features.T
        return logits.view(*biases.shape, -1) + biases[:, :, None]

    def _parts(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Weights `[R, C, F]` and biases `[R, C]`."""
        weights, biases = torch.split(parameters, [self._classes * self._features.shape[1], self._classes], dim=1)
        return weights.reshape(len(parameters), self._classes, -1), biases

    def _scale(self, gradients: Tensor) -> Tensor:
        """About the inverse Hessians times the gradients, as in `training.fitting.full_batch`."""
        weights, biases = self._parts(gradients)
        scaled = weights / (self._variances / self._classes + self._decay)
        return torch.cat([scaled.flatten(1), biases * self._classes], dim=1)


def at_best_temperature(logits: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """A temperature from 1 for logits `[N, C]` of rows that were not trained on, and each row's loss, `[N]`.

    1 unless another is better by more than a standard error. Where classes are separable, weights grow until the decay
    stops them: a weak one finds good directions and too large weights, and the temperature makes up for that.

    >>> logits = torch.tensor([[9.0, 0.0]] * 4)
    >>> at_best_temperature(logits, torch.tensor([0, 0, 0, 0]))[0]
    1.0
    >>> round(at_best_temperature(logits.repeat(9, 1), torch.tensor([0, 0, 0, 1] * 9))[0], 1)  # log 3 = 9 / 8.2
    8.7
    """
    inverse = torch.logspace(0, -2, _TEMPERATURES, dtype=logits.dtype, device=logits.device)
    of_label = logits.gather(1, labels[:, None]).squeeze(1)
    losses = torch.stack([torch.logsumexp(b * logits, dim=1) - b * of_label for b in inverse])
    best = int(losses.mean(dim=1).argmin())
    if best and significantly_better(losses[best], losses[0]):
        return 1 / float(inverse[best]), losses[best]
    return 1.0, losses[0]


def _rotated(centred: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Features `[N, F]` along the principal axes of the first `count` rows, and their variances: `[N, R]`, `[R]`."""
    own = centred[:count]
    if own.shape[1] <= count:
        values, axes = torch.linalg.eigh(own.T @ own)
    elif len(centred) == count:
        values, vectors = torch.linalg.eigh(own @ own.T)
        kept = values > _NOISE * values[-1]
        return vectors[:, kept] * values[kept].sqrt(), values[kept] / count
    else:  # the copies have directions of their own
        variances = centred.square().mean(dim=0)
        kept = variances > _NOISE * variances.max()
        return centred[:, kept], variances[kept]
    kept = values > _NOISE * values[-1]
    return centred @ axes[:, kept], values[kept] / count
