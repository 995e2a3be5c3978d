"""The quadratic lift: products of principal coordinates as further features of the softmax regression.

Shapes: N examples, D features, K coordinates, C classes. With the K leading principal axes of the training inputs, each
divided by the square root of its variance, z = projection^T (x - mean) is whitened: of mean 0, and uncorrelated with
variance 1. The further features are the K (K + 1) / 2 products z_i z_j less their means, 1 for i = j and else 0, and
standardised. The model stays a softmax regression, linear in its weights and convex.

The weights of class c on the products are a symmetric matrix B_c, and its part of the logit is

    sum_ij B_cij s_ij (z_i z_j - [i = j]),  s_ii = a / std(z_i^2),  s_ij = a / (sqrt(2) std(z_i z_j)).

A pair i < j occurs twice, so with w_ii = B_ii and w_ij = sqrt(2) B_ij this is the regression on standardised products,
times a, with one weight each. The Frobenius norm of B is the Euclidean norm of w, so weight decay on B is that on w.

A minibatch has N K^2 products, too many to gather from memory in the time that the rest of a step takes. With few
classes they are never formed: z is multiplied by all B_c at once, and each result with z again.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

# Of the largest variance. A direction with less is noise, which the lift would enlarge to variance 1.
MIN_VARIANCE = 1e-4
_MIN_SHARE = 1e-9  # of a product's mean square: a lower variance is a rounding error


class Axes(Protocol):
    """The leading principal axes of D features, float64, by falling variance."""

    @property
    def mean(self) -> Tensor:
        """Of the training features, `[D]`."""
        ...

    @property
    def axes(self) -> Tensor:
        """`[D, K]`, orthonormal up to their rounding."""
        ...

    @property
    def variances(self) -> Tensor:
        """Along each axis, `[K]`."""
        ...

    @property
    def total_variance(self) -> float:
        """The sum of the variances of all D features."""
        ...


@dataclass(frozen=True, slots=True)
class QuadraticLift:
    """K whitened principal coordinates and the scales of their products; float64."""

    mean: Tensor  # [D]
    projection: Tensor  # [D, K], the axes divided by the square roots of their variances
    scales: Tensor  # [K, K], symmetric

    @classmethod
    def of(cls, axes: Axes, blocks: Iterable[Tensor], components: int) -> "QuadraticLift":
        """The lift on at most this many of the `axes`, with scales from training features, `[N, D]` in blocks of rows.

        Directions of less than 1e-4 of the largest variance are left out. The products get the root mean square of the
        features about their mean as their standard deviation, a, so that one learning rate suits both.
        """
        variances = axes.variances[:components]
        kept = max(1, int((variances > MIN_VARIANCE * variances[0]).sum()))
        deviations = torch.where(variances > 0, variances, 1.0).sqrt()[:kept]  # equal inputs vary along no axis
        projection = axes.axes[:, :kept] / deviations
        lift = cls(axes.mean, projection, torch.ones(kept, kept, dtype=torch.float64))
        size = math.sqrt(axes.total_variance / len(axes.mean))
        return cls(axes.mean, projection, _scales(map(lift.coordinates, blocks), kept, size))

    @property
    def components(self) -> int:
        """K, the number of coordinates."""
        return self.projection.shape[1]

    def to(self, device: torch.device | None) -> "QuadraticLift":
        """The same on another device."""
        return QuadraticLift(*(tensor.to(device) for tensor in self.tensors))

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, projection and scales."""
        return self.mean, self.projection, self.scales

    def numbers_of_a_row(self, classes: int) -> int:
        """How many numbers `logits` and `gradient` hold for an example."""
        return self.components * min(self.components, classes)

    def coordinates(self, features: Tensor, unit: float = 1.0) -> Tensor:
        """z, `[N, D]` -> `[N, K]`, in the features' dtype; `unit` is what the features were multiplied by.

        >>> one = torch.ones(1, dtype=torch.float64)
        >>> QuadraticLift(one, 2 * one[None], one[None]).coordinates(torch.tensor([[1.0], [4.0]]))
        tensor([[0.],
                [6.]])
        """
        offset = -(self.mean @ self.projection).to(features.dtype)
        return torch.addmm(offset, features, (self.projection / unit).to(features.dtype))

    def logits(self, products: Tensor, z: Tensor) -> Tensor:
        """The products' part of the logits, `[N, C]`, from B `[C, K, K]` and z `[N, K]`.

        >>> lift = QuadraticLift(torch.zeros(2), torch.eye(2), torch.ones(2, 2))
        >>> lift.logits(torch.tensor([[[3.0, 1.0], [1.0, 0.0]]]), torch.tensor([[2.0, 5.0]]))  # 3 (4 - 1) + 2 (10)
        tensor([[29.]])
        """
        weights = products * self.scales.to(products.dtype)  # [C, K, K]
        means = weights.diagonal(dim1=1, dim2=2).sum(dim=1)
        classes, count = weights.shape[:2]
        if classes > count:
            return torch.addmm(-means, _squares(z), weights.flatten(1).T)
        along = z @ weights.flatten(0, 1).T  # [N, C * K]; B is symmetric
        return along.view(len(z), classes, count).mul_(z[:, None, :]).sum(dim=2).sub_(means)

    def gradient(self, errors: Tensor, z: Tensor) -> Tensor:
        """The gradient in B, `[C, K, K]`, from that in the logits, G `[N, C]`: s (sum_n G_nc z_n z_n^T - I sum_n G_nc).

        >>> lift = QuadraticLift(torch.zeros(2), torch.eye(2), torch.ones(2, 2))
        >>> lift.gradient(torch.tensor([[1.0]]), torch.tensor([[2.0, 5.0]]))
        tensor([[[ 3., 10.],
                 [10., 24.]]])
        """
        classes, count = errors.shape[1], z.shape[1]
        if classes > count:
            gradient = (errors.T @ _squares(z)).view(classes, count, count)
        else:
            weighted = (errors[:, :, None] * z[:, None, :]).view(len(z), classes * count)
            gradient = (weighted.T @ z).view(classes, count, count)
        gradient.diagonal(dim1=1, dim2=2).sub_(errors.sum(dim=0)[:, None])
        return gradient.mul_(self.scales.to(gradient.dtype))


def _squares(z: Tensor) -> Tensor:
    """All products of two coordinates, `[N, K]` -> `[N, K * K]`."""
    return (z[:, :, None] * z[:, None, :]).flatten(1)


def _scales(coordinates: Iterable[Tensor], count: int, size: float) -> Tensor:
    """s for each pair of coordinates, float64 `[K, K]`, from z in blocks; 0 for a product that does not vary.

    `size` is the standard deviation that a product shall have.

    >>> _scales([torch.tensor([[1.0, -1.0], [-1.0, -1.0], [1.0, 3.0], [-1.0, 3.0]])], 2, 1.0)  # std(z_1 z_2) = sqrt(5)
    tensor([[0.0000, 0.3162],
            [0.3162, 0.2500]], dtype=torch.float64)
    """
    rows = 0
    first, second = (torch.zeros(count, count, dtype=torch.float64) for _ in range(2))
    for z in coordinates:
        wide = z.double()
        first += wide.T @ wide
        second += wide.square().T @ wide.square()
        rows += len(z)
    mean_square = second / rows
    variances = mean_square - (first / rows).square()
    occurrences = 2.0 - torch.eye(count, dtype=torch.float64)  # of a pair in a symmetric matrix
    varies = variances > _MIN_SHARE * mean_square
    return torch.where(varies, size / (occurrences * variances).sqrt(), 0.0)
