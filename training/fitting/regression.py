"""The model: softmax regression, a linear map and a softmax, on features and, with a lift, on their products."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.fitting.lift import QuadraticLift
from training.fitting.softmax import softmax

INITIAL_SIGMA = 0.01  # as in the chapter


@dataclass(frozen=True, slots=True)
class SoftmaxRegression:
    """Parameters of the model over D features and C classes, float32 or float64; or a gradient, or a velocity.

    The weights may have any memory layout. `initial` stores them class by class, which is fastest for `gradient`;
    operations on them keep these strides.
    """

    weights: Tensor  # [D, C]
    biases: Tensor  # [C]
    products: Tensor | None = None  # [C, K, K], the weights on products of coordinates, symmetric
    lift: QuadraticLift | None = None  # of a model with products

    @classmethod
    def initial(
        cls, features: int, classes: int, generator: torch.Generator, lift: QuadraticLift | None = None
    ) -> "SoftmaxRegression":
        """Weights from N(0, 0.01^2), biases and products zero.

        Float32 on the CPU, so that every device and dtype starts alike.
        """
        weights = torch.normal(0.0, INITIAL_SIGMA, (features, classes), generator=generator).T.contiguous().T
        products = None if lift is None else torch.zeros(classes, lift.components, lift.components)
        return cls(weights, torch.zeros(classes), products, lift)

    @property
    def tensors(self) -> list[Tensor]:
        """All parameters."""
        return [self.weights, self.biases] + ([] if self.products is None else [self.products])

    @property
    def numbers_of_a_row(self) -> int:
        """How many numbers an example has in memory at once, its features apart."""
        classes = len(self.biases)
        return classes if self.lift is None else max(classes, self.lift.numbers_of_a_row(classes))

    def to(self, device: torch.device | None = None, dtype: torch.dtype | None = None) -> "SoftmaxRegression":
        """The same model on another device or in another precision; a lift stays float64."""
        lift = None if self.lift is None else self.lift.to(device)
        return self._with([tensor.to(device, dtype) for tensor in self.tensors], lift)

    def copy(self) -> "SoftmaxRegression":
        """A copy that further training does not change."""
        return self._with([tensor.clone() for tensor in self.tensors], self.lift)

    def zeros(self) -> "SoftmaxRegression":
        """Zeros of the same shapes, without the lift."""
        return self._with([torch.zeros_like(tensor) for tensor in self.tensors], None)

    def logits(self, features: Tensor) -> Tensor:
        """`[N, D]` -> `[N, C]`."""
        logits = torch.addmm(self.biases, features, self.weights)
        if self.products is None or self.lift is None:
            return logits
        return logits + self.lift.logits(self.products, self.lift.coordinates(features))

    def probabilities(self, features: Tensor) -> Tensor:
        """`[N, D]` -> `[N, C]`."""
        return softmax(self.logits(features))

    @staticmethod
    def _with(tensors: list[Tensor], lift: QuadraticLift | None) -> "SoftmaxRegression":
        weights, biases, *products = tensors
        return SoftmaxRegression(weights, biases, products[0] if products else None, lift)
