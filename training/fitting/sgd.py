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
    `weight_decay` times the weights, those of products too. Biases are not decayed.
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
            norm = torch.stack([tensor.square().sum() for tensor in gradient.tensors]).sum().sqrt()
            scale = torch.clamp(self.clip_norm / norm, max=1.0)
            for tensor in gradient.tensors:
                tensor.mul_(scale)
        if self.weight_decay:
            gradient.weights.add_(model.weights, alpha=self.weight_decay)
            if gradient.products is not None and model.products is not None:
                gradient.products.add_(model.products, alpha=self.weight_decay)
        direction = self._accelerated(gradient) if self.momentum else gradient
        for parameter, change in zip(model.tensors, direction.tensors, strict=True):
            _subtract(parameter, change, rate)

    def prepare(self, model: SoftmaxRegression) -> list[Tensor]:
        """All tensors that `step` will change, including those of the model; `step` will create no others."""
        if self.momentum and self.velocity is None:
            self.velocity = model.zeros()
        return model.tensors + ([] if self.velocity is None else self.velocity.tensors)

    def _accelerated(self, gradient: SoftmaxRegression) -> SoftmaxRegression:
        if self.velocity is None:
            self.velocity = gradient.zeros()
        for velocity, tensor in zip(self.velocity.tensors, gradient.tensors, strict=True):
            velocity.mul_(self.momentum).add_(tensor)
        return self.velocity


def _subtract(parameter: Tensor, direction: Tensor, rate: float | Tensor) -> None:
    if isinstance(rate, Tensor):
        parameter.addcmul_(direction, rate, value=-1)
    else:
        parameter.sub_(direction, alpha=rate)
