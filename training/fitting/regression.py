"""The model: softmax regression, a linear map and a softmax."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.fitting.softmax import softmax

INITIAL_SIGMA = 0.01  # as in the chapter


@dataclass(frozen=True, slots=True)
class SoftmaxRegression:
    """Parameters of the model over D features and C classes, float32 or float64.

    The weights may have any memory layout. `initial` stores them class by class, which is fastest for `gradient`;
    operations on them keep these strides.
    """

    weights: Tensor  # [D, C]
    biases: Tensor  # [C]

    @classmethod
    def initial(cls, features: int, classes: int, generator: torch.Generator) -> "SoftmaxRegression":
        """Weights from N(0, 0.01^2), biases zero; float32 on the CPU, so that every device and dtype starts alike."""
        weights = torch.normal(0.0, INITIAL_SIGMA, (features, classes), generator=generator)
        return cls(weights.T.contiguous().T, torch.zeros(classes))

    def to(self, device: torch.device | None = None, dtype: torch.dtype | None = None) -> "SoftmaxRegression":
        """The same model on another device or in another precision."""
        return SoftmaxRegression(self.weights.to(device, dtype), self.biases.to(device, dtype))

    def copy(self) -> "SoftmaxRegression":
        """A copy that further training does not change."""
        return SoftmaxRegression(self.weights.clone(), self.biases.clone())

    def logits(self, features: Tensor) -> Tensor:
        """`[N, D]` -> `[N, C]`."""
        return torch.addmm(self.biases, features, self.weights)

    def probabilities(self, features: Tensor) -> Tensor:
        """`[N, D]` -> `[N, C]`."""
        return softmax(self.logits(features))
