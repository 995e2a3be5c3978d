"""R softmax regressions side by side on the same minibatches: logits, losses and updates in wide matrix products.

Shapes: R runs, C classes, D features, B examples. The weights are `[R, C, D]`: those of all runs form one matrix
`[R * C, D]`, each minibatch is read once for all runs, and the weights of a run are contiguous.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.fitting.recipes import FitSettings
from training.fitting.regression import SoftmaxRegression
from training.fitting.sgd import scheduled_rate


@dataclass(slots=True)
class WideRegression:
    """The parameters of R runs, float32 or float64."""

    weights: Tensor  # [R, C, D]
    biases: Tensor  # [R, C]

    @classmethod
    def of(cls, model: SoftmaxRegression, runs: int) -> "WideRegression":
        """This number of runs, all starting from `model`."""
        weights, biases = model.weights.T, model.biases
        return cls(weights.repeat(runs, 1, 1), biases.repeat(runs, 1))

    def __len__(self) -> int:
        """R, the number of runs."""
        return len(self.weights)

    def run(self, index: int) -> SoftmaxRegression:
        """A copy of one run's parameters."""
        return SoftmaxRegression(self.weights[index].T.contiguous(), self.biases[index].clone())

    def logits(self, features: Tensor, out: Tensor) -> Tensor:
        """`[B, D]` -> `[R, C, B]`, in the memory of `out`, which is large enough."""
        runs, classes, width = self.weights.shape
        logits = out[: runs * classes * len(features)].view(runs * classes, len(features))
        torch.addmm(self.biases.view(-1, 1), self.weights.view(-1, width), features.T, out=logits)
        return logits.view(runs, classes, len(features))


class WideSGD:
    """The update of `training.fitting.sgd.SGD`, with separate settings for each run.

    The state is not the velocity v but the update u = -rate * v. So the learning rate multiplies the small errors, not
    the large gradient, and product and update are one call.
    """

    def __init__(self, runs: Sequence[FitSettings], steps: int, like: Tensor) -> None:
        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=like.dtype, device=like.device).view(-1, 1, 1)

        self._steps, self._step = steps, 0
        self._constant = column([run.learning_rate * (run.schedule == "constant") for run in runs])
        self._cosine = column([run.learning_rate * (run.schedule == "cosine") for run in runs])
        self._momentum = column([run.momentum for run in runs])
        self._decay = column([run.weight_decay for run in runs])
        self._clip = column([torch.inf if run.clip_norm is None else run.clip_norm for run in runs])
        self._clips = any(run.clip_norm is not None for run in runs)
        self._decays = any(run.weight_decay for run in runs)
        accelerates = any(run.momentum for run in runs)
        self._update = torch.zeros_like(like) if accelerates else None  # u, [R, C, D]
        self._bias_update = like.new_zeros(like.shape[:2]) if accelerates else None
        self._rate = self._constant + self._cosine  # of the step before

    def select(self, rows: Tensor) -> None:
        """Keep only these runs."""
        for name in ("_constant", "_cosine", "_momentum", "_decay", "_clip", "_rate"):
            setattr(self, name, getattr(self, name)[rows])
        if self._update is not None and self._bias_update is not None:
            self._update, self._bias_update = self._update[rows], self._bias_update[rows]

    def step(self, model: WideRegression, errors: Tensor, features: Tensor) -> None:
        """Update `model` from the errors `[R, C, B]`, the gradient in the logits, which are overwritten."""
        rate = self._next_rate()
        if self._clips:
            errors *= self._clipping(errors, features)
        errors *= -rate
        biases = errors.sum(dim=2)
        if self._update is None or self._bias_update is None:
            if self._decays:
                model.weights *= 1 - rate * self._decay
            _add_product(model.weights, errors, features)
            model.biases += biases
            return
        kept = self._momentum * (rate / self._rate)
        self._rate = rate
        self._update *= kept
        if self._decays:
            self._update.addcmul_(model.weights, -rate * self._decay)
        _add_product(self._update, errors, features)
        model.weights += self._update
        self._bias_update.mul_(kept.squeeze(2)).add_(biases)
        model.biases += self._bias_update

    def _next_rate(self) -> Tensor:
        """`[R, 1, 1]`."""
        factor = scheduled_rate("cosine", 1.0, self._step, self._steps)
        self._step += 1
        return torch.add(self._constant, self._cosine, alpha=factor)

    def _clipping(self, errors: Tensor, features: Tensor) -> Tensor:
        """The factor that scales each run's gradient down to its `clip_norm`, `[R, 1, 1]`: at most 1."""
        gradient = errors.flatten(0, 1) @ features
        squares = gradient.square_().view(len(errors), -1).sum(dim=1) + errors.sum(dim=2).square_().sum(dim=1)
        return torch.clamp(self._clip / squares.sqrt_().view(-1, 1, 1), max=1.0)


def _add_product(weights: Tensor, errors: Tensor, features: Tensor) -> None:
    """Add errors @ features, `[R, C, B]` and `[B, D]`, to `[R, C, D]`."""
    weights.view(-1, weights.shape[2]).addmm_(errors.flatten(0, 1), features)
