"""A lift on the principal axes of some features, and the products that it stands for, one by one."""

import torch
from torch import Tensor

from training.fitting.lift import QuadraticLift
from training.fitting.principal_axes import PrincipalAxes


def lift_on(features: Tensor, components: int) -> QuadraticLift:
    """At most this many coordinates, `[N, D]` given."""
    return QuadraticLift.of(PrincipalAxes.fit([features], at_least=components), [features], components)


def gathered(z: Tensor) -> tuple[Tensor, Tensor]:
    """The products of each pair i <= j, less the mean 1 or 0, `[N, P]`, and the pairs, `[2, P]`."""
    pairs = torch.triu_indices(z.shape[1], z.shape[1])
    first, second = pairs
    return z[:, first] * z[:, second] - (first == second).double(), pairs


def with_products(features: Tensor, lift: QuadraticLift | None) -> Tensor:
    """The features, and beside them the standardised products, one a pair: `[N, D + K (K + 1) / 2]`."""
    if lift is None:
        return features
    products, (first, second) = gathered(lift.coordinates(features))
    once = (2 - (first == second).double()).sqrt()
    return torch.cat([features, products * lift.scales[first, second] * once], dim=1)
