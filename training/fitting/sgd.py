"""Minibatch stochastic gradient descent: the update and the learning rate schedule."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from training.fitting.recipes import Schedule
from training.fitting.regression import SoftmaxRegression


def scheduled_rate(schedule: Schedule, learning_rate: float, step: int, steps: int) -> float:
    """The learning rate of update `step` (from 0) of `steps`.

    Cosine falls from the full rate to almost 0 over half a period (Loshchilov and Hutter 2017).

    >>> [round(scheduled_rate("cosine", 0.1, step, 4), 4) for step in range(4)]
    [0.1, 0.0854, 0.05, 0.0146]
    """
    if schedule == "constant":
        return learning_rate
    return learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))


@dataclass(slots=True)
class SGD:
    """The update v <- momentum * v + g, parameter <- parameter - rate * v, in place.

    g is the gradient, scaled down to `clip_norm` where its Euclidean norm over all parameters is larger, plus
    `weight_decay` times the weights. Biases are not decayed.
    """

    momentum: float
    weight_decay: float
    clip_norm: float | None
    velocity: SoftmaxRegression | None = None  # v; None before the first update and without momentum

    def step(self, model: SoftmaxRegression, gradient: SoftmaxRegression, rate: float | Tensor) -> None:
        """Update `model` by `gradient`, which has the model's shapes and may be overwritten.

        The rate is a number, or a scalar on the model's device that is never read from it.
        """
        if self.clip_norm is not None:
            norm = torch.sqrt(gradient.weights.square().sum() + gradient.biases.square().sum())
            scale = torch.clamp(self.clip_norm / norm, max=1.0)
            gradient.weights.mul_(scale)
            gradient.biases.mul_(scale)
        if self.weight_decay:
            gradient.weights.add_(model.weights, alpha=self.weight_decay)
        direction = self._accelerated(gradient) if self.momentum else gradient
        _subtract(model.weights, direction.weights, rate)
        _subtract(model.biases, direction.biases, rate)

    def prepare(self, model: SoftmaxRegression) -> list[Tensor]:
        """All tensors that `step` will change, including those of the model; `step` will create no others."""
        if self.momentum and self.velocity is None:
            self.velocity = SoftmaxRegression(torch.zeros_like(model.weights), torch.zeros_like(model.biases))
        parts = [model] if self.velocity is None else [model, self.velocity]
        return [tensor for part in parts for tensor in (part.weights, part.biases)]

    def _accelerated(self, gradient: SoftmaxRegression) -> SoftmaxRegression:
        if self.velocity is None:
            self.velocity = SoftmaxRegression(torch.zeros_like(gradient.weights), torch.zeros_like(gradient.biases))
        self.velocity.weights.mul_(self.momentum).add_(gradient.weights)
        self.velocity.biases.mul_(self.momentum).add_(gradient.biases)
        return self.velocity


def _subtract(parameter: Tensor, direction: Tensor, rate: float | Tensor) -> None:
    if isinstance(rate, Tensor):
        parameter.addcmul_(direction, rate, value=-1)
    else:
        parameter.sub_(direction, alpha=rate)
