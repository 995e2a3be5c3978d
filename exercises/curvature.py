"""The curvature of the mean cross-entropy: the largest eigenvalue of its Hessian, and a bound for all weights.

Gradient descent on a quadratic with largest curvature c converges at rates under 2 / c only. Softmax regression
has the Hessian H = sum over the examples of (diag(p) - p p^T) x x^T / N, where x is the features and a 1 for the bias.
With C classes diag(p) - p p^T is at most (I - 1 1^T / C) / 2 (Bohning 1992, "Multinomial logistic regression
algorithm"), so H is at most half of the mean of x x^T, for all weights.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from training.fitting.regression import SoftmaxRegression

_TOLERANCE, _MAX_ITERATIONS = 1e-5, 1000  # relative change that ends the iteration; iterations


def hessian_product(model: SoftmaxRegression, features: Tensor, direction: Tensor) -> Tensor:
    """H times `direction`, `[D + 1, C]` as weights with the biases below them, without ever forming H.

    >>> even = SoftmaxRegression(torch.zeros(1, 2), torch.zeros(2))  # p = (1/2, 1/2)
    >>> hessian_product(even, torch.tensor([[3.0]]), torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    tensor([[ 2.2500, -2.2500],
            [ 0.7500, -0.7500]])
    """
    probabilities = model.probabilities(features)  # [N, C]
    change = probabilities * torch.addmm(direction[-1], features, direction[:-1])
    change -= probabilities * change.sum(dim=1, keepdim=True)
    return torch.cat([features.T @ change, change.sum(dim=0, keepdim=True)]) / len(features)


def loss_curvature(model: SoftmaxRegression, features: Tensor) -> float:
    """The largest eigenvalue of the Hessian at the model's weights, by power iteration."""
    start = _start(len(model.weights) + 1, model.weights.shape[1], features)
    return _largest(lambda direction: hessian_product(model, features, direction), start)


def curvature_bound(features: Tensor) -> float:
    """An upper bound of the curvature at any weights: half the largest eigenvalue of the mean of x x^T.

    >>> round(curvature_bound(torch.tensor([[3.0], [3.0]])), 4)  # x x^T has the eigenvalues 10 and 0
    5.0
    """

    def product(direction: Tensor) -> Tensor:
        outputs = torch.addmm(direction[-1], features, direction[:-1])
        return torch.cat([features.T @ outputs, outputs.sum(dim=0, keepdim=True)]) / len(features)

    return _largest(product, _start(features.shape[1] + 1, 1, features)) / 2


def _start(rows: int, columns: int, like: Tensor) -> Tensor:
    """A fixed random direction, which is practically never orthogonal to an eigenvector."""
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(like)


def _largest(product: Callable[[Tensor], Tensor], direction: Tensor) -> float:
    """The largest eigenvalue of a positive semidefinite map (von Mises and Pollaczek-Geiringer 1929)."""
    value = 0.0
    for _ in range(_MAX_ITERATIONS):
        direction = direction / torch.linalg.vector_norm(direction)
        image = product(direction)
        before, value = value, float((direction * image).sum())
        if abs(value - before) <= _TOLERANCE * value:
            break
        direction = image
    return value
