"""Fits a softmax regression by L-BFGS: every step sees all examples, and no learning rate has to be chosen.

The objective is the mean cross-entropy plus half the weight decay times the squares of all weights. It is convex, so
the minimum does not depend on the start.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from training.errors import DivergedError
from training.fitting import threads
from training.fitting.examples import Examples, Minibatch, Source
from training.fitting.fit import Epoch, Fit, Quality, evaluate, rows_at_a_time
from training.fitting.gradient import loss_and_gradient
from training.fitting.lbfgs import TOLERANCE, minimise
from training.fitting.lift import QuadraticLift
from training.fitting.recipes import FitSettings
from training.fitting.regression import SoftmaxRegression
from training.fitting.workers import ALONE, Workers

_MAX_DECOMPOSED = 2048  # rows and columns of a matrix whose eigenvectors are computed
_NOISE = 1e-6  # of the largest eigenvalue


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The variances of D features about their mean, along all R axes where they vary, or of each feature alone."""

    mean: Tensor  # [D]
    axes: Tensor  # [D, R], orthonormal
    variances: Tensor  # [R]
    rest: Tensor  # [D], of each feature, where there are no axes; else 0

    @classmethod
    def of(cls, source: Source, workers: Workers = ALONE) -> "Spectrum":
        """From all features, or from each feature alone where there are too many of them."""
        count, width = len(source), source.width
        sums = torch.zeros(width, dtype=torch.float64, device=source.device)
        for block in source.blocks(workers):
            sums += block.features.sum(dim=0, dtype=torch.float64)
        workers.sum(sums)
        mean = (sums / count).to(source.dtype)
        none = torch.zeros((), dtype=source.dtype, device=source.device)
        if isinstance(source, Examples) and count < min(width, _MAX_DECOMPOSED) and workers.size == 1:
            centred = source.features - mean
            values, vectors = torch.linalg.eigh(centred @ centred.T)
            kept = values > _NOISE * values[-1]
            axes = centred.T @ (vectors[:, kept] / values[kept].sqrt())
            return cls(mean, axes, values[kept] / count, none)
        if width > _MAX_DECOMPOSED:
            squares = torch.zeros(width, dtype=torch.float64, device=source.device)
            for block in source.blocks(workers):
                squares += (block.features - mean).square().sum(dim=0, dtype=torch.float64)
            workers.sum(squares)
            return cls(mean, mean.new_zeros(width, 0), mean.new_zeros(0), (squares / count).to(source.dtype))
        scatter = torch.zeros(width, width, dtype=source.dtype, device=source.device)
        for block in source.blocks(workers):
            for some in block.split(rows_at_a_time(width, 1)):
                centred = some.features - mean
                scatter.addmm_(centred.T, centred)
        workers.sum(scatter)
        values, axes = torch.linalg.eigh(scatter / count)
        return cls(mean, axes, values.clamp(min=0), none)

    @property
    def mean_variance(self) -> float:
        """Of the D features; 1 where none varies."""
        return float(self.variances.sum() + self.rest.sum()) / len(self.mean) or 1.0

    def divide(self, weights: Tensor, curvature: float, decay: float) -> Tensor:
        """Weights `[..., D]` divided, along each axis, by `curvature` times its variance plus `decay`.

        What they have along no axis is rounding error, since no feature varies there; a small decay would enlarge it.
        """
        if not len(self.variances):
            return weights / (curvature * _over_zero(self.rest) + decay)
        return (weights @ self.axes / (curvature * _over_zero(self.variances) + decay)) @ self.axes.T


def _over_zero(variances: Tensor) -> Tensor:
    """Variances under those of rounding errors are raised to them, so that a decay of 0 divides by no zero.

    >>> _over_zero(torch.tensor([4.0, 0.0]))
    tensor([4.0000e+00, 4.0000e-06])
    """
    least = max(_NOISE * float(variances.max()), torch.finfo(variances.dtype).tiny)
    return variances.clamp(min=least)


def fit_full_batch(
    train: Source,
    tune: Source,
    classes: int,
    settings: FitSettings,
    on_epoch: Callable[[Epoch], None] | None = None,
    *,
    lift: QuadraticLift | None = None,
    workers: Workers = ALONE,
    spectrum: Spectrum | None = None,
    start: SoftmaxRegression | None = None,
    tolerance: float = TOLERANCE,
) -> Fit:
    """Fit on all of `train` at each step, for at most `settings.epochs` steps; the weights of the last one are kept.

    `spectrum` is that of `train`, where it is known; `start` a fit with a similar weight decay. All `workers` call this
    with the same arguments and get the same result. Raises DivergedError where a loss is not finite.
    """
    spectrum = Spectrum.of(train, workers) if spectrum is None else spectrum
    initial = SoftmaxRegression.initial(train.width, classes, torch.Generator().manual_seed(0), lift)
    zeros = initial.to(train.device, train.dtype)
    for tensor in zeros.tensors:
        tensor.zero_()
    objective = _Objective(train, zeros, settings.weight_decay, spectrum, workers)
    history: list[Epoch] = []

    def record(parameters: Tensor) -> None:
        tuned = evaluate(objective.model(parameters), tune, workers)
        epoch = Epoch(len(history) + 1, objective.quality, tuned)
        if not (math.isfinite(epoch.train.loss) and math.isfinite(tuned.loss)):
            raise DivergedError(
                f"the fit diverged in epoch {epoch.number}: the loss on train is {epoch.train.loss} and on tune "
                f"{tuned.loss}. Look for extreme values in the data, or try a larger --weight-decay."
            )
        history.append(epoch)
        if on_epoch is not None:
            on_epoch(epoch)

    parameters = objective.parameters(zeros if start is None else start)
    with threads.for_product(min(len(train), rows_at_a_time(train.width, classes)), train.width, classes, lift):
        found = minimise(
            objective, parameters, objective.scale, settings.epochs, tolerance=tolerance, on_iteration=record
        )
    if not history:  # the start was the minimum
        record(found.parameters)
    return Fit(objective.model(found.parameters).copy(), len(history), history)


class _Objective:
    """The objective as a function of a row of parameters, `[1, P]`: weights by class, biases at the mean, products."""

    def __init__(
        self, train: Source, like: SoftmaxRegression, decay: float, spectrum: Spectrum, workers: Workers
    ) -> None:
        self._train, self._like, self._decay, self._workers = train, like, decay, workers
        self._spectrum = spectrum
        self._shapes = [tensor.T.shape if i == 0 else tensor.shape for i, tensor in enumerate(like.tensors)]
        self._rows = rows_at_a_time(train.width, len(like.biases))
        self.quality = Quality(math.nan, math.nan)  # of the latest call, without the decay

    def parameters(self, model: SoftmaxRegression) -> Tensor:
        """Of a model, `[1, P]`."""
        at_mean = model.biases + self._spectrum.mean @ model.weights
        parts = [model.weights.T, at_mean, *model.tensors[2:]]
        return torch.cat([part.reshape(-1) for part in parts])[None]

    def model(self, parameters: Tensor) -> SoftmaxRegression:
        """The model with these parameters."""
        weights, at_mean, *products = self._parts(parameters)
        biases = at_mean - weights @ self._spectrum.mean
        return SoftmaxRegression(weights.T, biases, products[0] if products else None, self._like.lift)

    def __call__(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Value `[1]` and gradient `[1, P]`."""
        model, device = self.model(parameters), parameters.device
        sums = torch.zeros(2, dtype=torch.float64, device=device)
        total = self._like.zeros()
        for block in self._train.blocks(self._workers):
            for some in block.split(self._rows):
                batch = Minibatch(some.stored, some.labels, some.levels, size=len(self._train))
                losses, hits, gradient = loss_and_gradient(model, batch)
                sums += torch.stack([losses.double(), hits.double()])
                for one, other in zip(total.tensors, gradient.tensors, strict=True):
                    one += other
        self._workers.sum(sums)
        self._workers.sum(*total.tensors)
        loss, hits_of_all = (sums / len(self._train)).tolist()
        self.quality = Quality(loss, hits_of_all)
        weights = total.weights.T - total.biases[:, None] * self._spectrum.mean
        decayed = [model.weights.T, *model.tensors[2:]]
        value = loss + 0.5 * self._decay * sum(float(part.square().sum(dtype=torch.float64)) for part in decayed)
        parts = [weights.add_(decayed[0], alpha=self._decay), total.biases]
        parts += [part.add_(own, alpha=self._decay) for part, own in zip(total.tensors[2:], decayed[1:], strict=True)]
        gradient_row = torch.cat([part.reshape(-1) for part in parts])[None]
        return torch.tensor([value], dtype=parameters.dtype, device=device), gradient_row

    def scale(self, gradients: Tensor) -> Tensor:
        """About the inverse Hessian times the gradient.

        The curvature along a feature is about its variance / C, as at the start, where all classes are equally likely.
        """
        weights, biases, *products = self._parts(gradients)
        classes = len(biases)
        parts = [self._spectrum.divide(weights, 1 / classes, self._decay), biases * classes]
        parts += [part / (self._spectrum.mean_variance / classes + self._decay) for part in products]
        return torch.cat([part.reshape(-1) for part in parts])[None]

    def _parts(self, row: Tensor) -> list[Tensor]:
        """The parts of a row of parameters: weights `[C, D]`, biases `[C]`, products `[C, K, K]`."""
        sizes = [math.prod(shape) for shape in self._shapes]
        return [part.view(shape) for part, shape in zip(torch.split(row[0], sizes), self._shapes, strict=True)]
