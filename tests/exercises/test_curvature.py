"""The curvature against the Hessian by autograd, and against gradient descent."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its own documentation's name
from torch import Tensor

from exercises.curvature import curvature_bound, hessian_product, loss_curvature
from exercises.gradient_noise import noise_scale
from training.fitting.examples import Examples
from training.fitting.regression import SoftmaxRegression

GENERATOR = torch.Generator().manual_seed(0)
FEATURES = torch.rand(40, 3, generator=GENERATOR, dtype=torch.float64)
LABELS = torch.randint(4, (40,), generator=GENERATOR)
PARAMETERS = torch.randn(4, 4, generator=GENERATOR, dtype=torch.float64)  # the biases in the last row


def _model(parameters: Tensor) -> SoftmaxRegression:
    return SoftmaxRegression(parameters[:-1], parameters[-1])


def _loss(parameters: Tensor, rows: slice = slice(None)) -> Tensor:
    return F.cross_entropy(FEATURES[rows] @ parameters[:-1] + parameters[-1], LABELS[rows])


def _gradient(rows: slice = slice(None)) -> tuple[Tensor, Tensor]:
    """The flat gradient by autograd, and its parameters."""
    parameters = PARAMETERS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(_loss(parameters, rows), parameters, create_graph=True)
    return gradient.flatten(), parameters


def _hessian() -> Tensor:
    gradient, parameters = _gradient()
    return torch.stack([torch.autograd.grad(g, parameters, retain_graph=True)[0].flatten() for g in gradient])


def test_product_equals_that_of_the_hessian() -> None:
    direction = torch.randn(4, 4, generator=GENERATOR, dtype=torch.float64)
    expected = (_hessian() @ direction.flatten()).view(4, 4)
    torch.testing.assert_close(
        hessian_product(_model(PARAMETERS), FEATURES, direction), expected, rtol=1e-12, atol=1e-14
    )


def test_curvature_is_the_largest_eigenvalue_and_below_the_bound() -> None:
    largest = torch.linalg.eigvalsh(_hessian())[-1].item()
    assert loss_curvature(_model(PARAMETERS), FEATURES) == pytest.approx(largest, rel=1e-5)
    assert largest <= curvature_bound(FEATURES)


def test_bound_is_half_the_largest_eigenvalue_of_the_features() -> None:
    extended = torch.cat([FEATURES, torch.ones(40, 1, dtype=torch.float64)], dim=1)
    largest = torch.linalg.eigvalsh(extended.T @ extended / 40)[-1].item()
    assert curvature_bound(FEATURES) == pytest.approx(largest / 2, rel=1e-5)


def test_bound_is_reached_by_two_classes_of_equal_probability() -> None:
    features = FEATURES[:, :1]
    model = SoftmaxRegression(torch.zeros(1, 2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))
    assert loss_curvature(model, features) == pytest.approx(curvature_bound(features), rel=1e-5)


def test_noise_scale_equals_that_of_single_gradients() -> None:
    gradients = torch.stack([_gradient(slice(i, i + 1))[0].detach() for i in range(40)])
    mean = gradients.mean(dim=0)
    expected = ((gradients - mean).square().sum(dim=1).mean() / mean.square().sum()).item()
    assert noise_scale(_model(PARAMETERS), Examples(FEATURES, LABELS)) == pytest.approx(expected, rel=1e-10)
