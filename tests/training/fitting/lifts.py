"""A lift on the principal axes of some features."""

from torch import Tensor

from training.fitting.lift import QuadraticLift
from training.fitting.principal_axes import PrincipalAxes


def lift_on(features: Tensor, components: int) -> QuadraticLift:
    """At most this many coordinates, `[N, D]` given."""
    return QuadraticLift.of(PrincipalAxes.fit([features], at_least=components), [features], components)
