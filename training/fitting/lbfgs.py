"""L-BFGS: minimises smooth convex functions, several at a time, from values and gradients.

Shapes: R functions of P parameters each, `[R, P]`; values `[R]`. Every operation works on all functions at once, so
that R small problems take little longer than one. The two-loop recursion is that of Nocedal and Wright (2006, Numerical
Optimization, algorithm 7.4). It starts from a scaling that the caller gives: for a regression, an estimate of the
inverse Hessian saves four of five passes over the data.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Function = Callable[[Tensor], tuple[Tensor, Tensor]]  # parameters [R, P] -> values [R], gradients [R, P]
Scaling = Callable[[Tensor], Tensor]  # gradients [R, P] -> about the inverse Hessians times them

TOLERANCE = 1e-4  # of a value, relative: by how much a step may still be expected to lower it
_MEMORY = 10  # pairs of a step and the change of the gradient
_DECREASE = 1e-4  # of a step, as a share of what the slope promises (Armijo)
_SHORTER = 0.4
_MAX_TRIALS = 15
_ROUNDING = {torch.float32: 1e-6, torch.float64: 1e-12}  # of a value, relative


@dataclass(frozen=True, slots=True)
class Minima:
    """The result for R functions."""

    parameters: Tensor  # [R, P]
    values: Tensor  # [R]
    converged: Tensor  # bool [R]; False where the limit of iterations came first
    iterations: int


def minimise(
    function: Function,
    start: Tensor,
    scaling: Scaling,
    iterations: int,
    *,
    tolerance: float = TOLERANCE,
    on_iteration: Callable[[Tensor], None] | None = None,
) -> Minima:
    """Minimise R functions from `start`, `[R, P]`.

    Ends when none is expected to fall by more than `tolerance` times its value. `on_iteration` gets the parameters
    after each iteration.

    >>> def function(x):  # (x - 3)^2 and (x + 1)^2
    ...     distance = x - torch.tensor([[3.0], [-1.0]])
    ...     return distance.square().sum(dim=1), 2 * distance
    >>> minimise(function, torch.zeros(2, 1), lambda gradient: gradient / 2, 10).parameters
    tensor([[ 3.],
            [-1.]])
    """
    parameters = start
    values, gradients = function(parameters)
    done = torch.zeros(len(start), dtype=torch.bool, device=start.device)
    pairs = _Pairs(scaling)
    rounding = _ROUNDING[start.dtype]
    for number in range(1, iterations + 1):
        directions = -pairs.times_inverse_hessian(gradients)
        slopes = _dot(directions, gradients)
        # Before the first step the scaling may be far too small, and the expected fall with it.
        enough = 0.0 if number == 1 else tolerance
        done = done | (-slopes <= enough * values.abs().clamp(min=rounding))
        if bool(done.all()):
            return Minima(parameters, values, done, number - 1)
        lengths = (~done).to(start.dtype)
        for _ in range(_MAX_TRIALS):
            tried = parameters + lengths[:, None] * directions
            new_values, new_gradients = function(tried)
            allowed = values + _DECREASE * lengths * slopes + rounding * values.abs()
            failed = ~(new_values <= allowed) & ~done
            if not bool(failed.any()):
                break
            lengths = torch.where(failed, lengths * _SHORTER, lengths)
        done = done | failed  # the slope is rounding error by now
        moved = ~failed
        tried = torch.where(moved[:, None], tried, parameters)
        new_gradients = torch.where(moved[:, None], new_gradients, gradients)
        pairs.add(tried - parameters, new_gradients - gradients)
        parameters, gradients = tried, new_gradients
        values = torch.where(moved, new_values, values)
        if on_iteration is not None:
            on_iteration(parameters)
    return Minima(parameters, values, done, iterations)


class _Pairs:
    """The latest steps with the changes of the gradient along them: what is known of each Hessian."""

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        self._pairs: list[tuple[Tensor, Tensor, Tensor]] = []  # s, y `[R, P]`, 1 / (s.y) `[R]`; 0 for no information

    def add(self, steps: Tensor, changes: Tensor) -> None:
        curvature = _dot(steps, changes)
        known = curvature > torch.finfo(steps.dtype).tiny
        inverse = torch.where(known, 1 / torch.where(known, curvature, 1.0), 0.0)
        self._pairs = [*self._pairs, (steps, changes, inverse)][-_MEMORY:]

    def times_inverse_hessian(self, gradients: Tensor) -> Tensor:
        """The two-loop recursion, `[R, P]`."""
        product = gradients.clone()
        shares = []
        for steps, changes, inverse in reversed(self._pairs):
            share = inverse * _dot(steps, product)
            product -= share[:, None] * changes
            shares.append(share)
        product = self._scaling(product)
        if self._pairs:
            product *= self._size()[:, None]
        for (steps, changes, inverse), share in zip(self._pairs, reversed(shares), strict=True):
            product += (share - inverse * _dot(changes, product))[:, None] * steps
        return product

    def _size(self) -> Tensor:
        """By how much the scaling is too small along the latest step, `[R]`."""
        steps, changes, inverse = self._pairs[-1]
        expected = _dot(changes, self._scaling(changes))
        known = (inverse > 0) & (expected > 0)
        return torch.where(known, _dot(steps, changes) / torch.where(known, expected, 1.0), 1.0)


def _dot(first: Tensor, second: Tensor) -> Tensor:
    """Of each row, `[R, P]`, `[R, P]` -> `[R]`."""
    products: Tensor = torch.linalg.vecdot(first, second)
    return products
