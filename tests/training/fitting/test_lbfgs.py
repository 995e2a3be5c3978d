"""L-BFGS finds the minima of convex functions, each as if it were alone."""

import pytest
import torch
from torch import Tensor

from training.fitting.lbfgs import Function, Minima, minimise

CENTRES = torch.tensor([[3.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-40.0, 2.0, 7.0], [1e-3, 5.0, 0.0]], dtype=torch.float64)
SCALES = torch.tensor([1.0, 1.0, 1e6, 1e-6], dtype=torch.float64)
CURVATURES = torch.tensor([1.0, 30.0, 0.1], dtype=torch.float64)
START = torch.zeros_like(CENTRES)  # the minimum of the second function


def _bowls(parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Quadratic functions with minima of 1 at the centres, times the scales."""
    distance, curvatures, scales = _cast(parameters)
    values = 1 + 0.5 * (curvatures * distance.square()).sum(dim=1)
    return scales * values, scales[:, None] * curvatures * distance


def _valleys(parameters: Tensor) -> tuple[Tensor, Tensor]:
    """log cosh: quadratic at the centres and linear far from them, where no Hessian tells of the minimum."""
    distance, curvatures, scales = _cast(parameters)
    logs = torch.logaddexp(distance, -distance) - torch.log(distance.new_tensor(2.0))
    return scales * (1 + (curvatures * logs).sum(dim=1)), scales[:, None] * curvatures * distance.tanh()


def _cast(parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    dtype = parameters.dtype
    return parameters - CENTRES.to(dtype), CURVATURES.to(dtype), SCALES.to(dtype)


def _found(function: Function, dtype: torch.dtype = torch.float64, length: float = 1.0) -> tuple[Minima, Tensor]:
    """The minima, and the values `[T, R]` after each iteration. `length` is a scaling that fits no function well."""
    values: list[Tensor] = [function(START.to(dtype))[0]]

    def scaling(gradients: Tensor) -> Tensor:
        return length * gradients / SCALES.to(dtype)[:, None]

    def on_iteration(parameters: Tensor) -> None:
        values.append(function(parameters)[0])

    found = minimise(function, START.to(dtype), scaling, 200, tolerance=1e-8, on_iteration=on_iteration)
    return found, torch.stack(values)


@pytest.mark.parametrize("function", [_bowls, _valleys])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [0.01, 1.0, 100.0])
def test_several_functions_of_any_scale_reach_their_minima(
    function: Function, dtype: torch.dtype, length: float
) -> None:
    found, values = _found(function, dtype, length)
    assert found.converged.all()
    assert found.iterations == len(values) - 1
    torch.testing.assert_close(found.values, function(found.parameters)[0])
    torch.testing.assert_close(found.values.double(), SCALES, rtol=1e-6, atol=0)
    rounding = 1e-6 if dtype == torch.float32 else 1e-12
    assert (values[1:] <= values[:-1] * (1 + 2 * rounding)).all()  # no value ever rises


@pytest.mark.parametrize("function", [_bowls, _valleys])
def test_function_at_its_minimum_stays_there(function: Function) -> None:
    found, values = _found(function)
    assert torch.equal(found.parameters[1], START[1])
    assert (values[:, 1] == 1).all()


def test_good_scaling_needs_one_step() -> None:
    hessians = SCALES[:, None] * CURVATURES
    found = minimise(_bowls, START, lambda gradients: gradients / hessians, 10)
    assert found.iterations == 1
    torch.testing.assert_close(found.parameters, CENTRES)


def test_tolerance_bounds_what_is_left() -> None:
    loose, tight = (
        minimise(_valleys, START, lambda gradients: gradients / SCALES[:, None], 200, tolerance=tolerance)
        for tolerance in (1e-2, 1e-10)
    )
    assert loose.iterations < tight.iterations
    torch.testing.assert_close(tight.values, SCALES, rtol=1e-9, atol=0)


def test_limit_of_iterations_is_told() -> None:
    found = minimise(_valleys, START, lambda gradients: gradients / SCALES[:, None], 2)
    assert found.iterations == 2
    assert found.converged.tolist() == [False, True, False, False]


def test_gradient_of_rounding_errors_ends_it() -> None:
    """A gradient that points uphill promises what no step keeps."""

    def function(parameters: Tensor) -> tuple[Tensor, Tensor]:
        return 1 + parameters.abs().sum(dim=1), -torch.ones_like(parameters)

    found = minimise(function, torch.zeros(1, 2), lambda gradients: gradients, 50)
    assert found.converged.all()
    assert found.iterations < 3
    assert found.values.tolist() == pytest.approx([1.0], abs=1e-4)
