"""The lift equals a regression on standardised products, formed one by one, and separates what no line separates."""

import dataclasses
import math

import pytest
import torch

from tests.training.fitting.lifts import gathered, lift_on
from training.errors import TrainingError
from training.fitting import lift as lift_module
from training.fitting.examples import Examples
from training.fitting.fit import evaluate, fit
from training.fitting.lift import require_room
from training.fitting.recipes import TUNED
from training.fitting.regression import SoftmaxRegression

N, D, K = 400, 6, 4
MIX = torch.randn(D, D, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


def _features(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, D, generator=generator, dtype=torch.float64) @ MIX + 3


def test_coordinates_are_whitened_and_products_have_the_deviation_of_the_features() -> None:
    features = _features(N)
    lift = lift_on(features, K)
    z = lift.coordinates(features)
    torch.testing.assert_close(z.T.cov(), torch.eye(K, dtype=torch.float64))
    products, (first, second) = gathered(z)
    deviation = math.sqrt(features.var(dim=0).mean())
    factors = lift.scales[first, second] * (2 - (first == second).double()).sqrt()
    torch.testing.assert_close(products.std(dim=0, correction=0) * factors, torch.full_like(factors, deviation))


@pytest.mark.parametrize("classes", [3, 9])  # fewer than coordinates, and more
@pytest.mark.parametrize("most", [2**25, 100])  # numbers at a time: all examples at once, and few of them
def test_lift_is_a_regression_on_products(monkeypatch: pytest.MonkeyPatch, classes: int, most: int) -> None:
    """With weights w_ii = B_ii and w_ij = sqrt(2) B_ij, whose norm is that of B."""
    monkeypatch.setattr(lift_module, "_MAX_NUMBERS", most)
    features, generator = _features(50), torch.Generator().manual_seed(1)
    lift = lift_on(_features(N), K)
    half = torch.randn(classes, K, K, generator=generator, dtype=torch.float64)
    symmetric, errors = half + half.transpose(1, 2), torch.randn(50, classes, generator=generator, dtype=torch.float64)
    z = lift.coordinates(features)
    products, (first, second) = gathered(z)
    once = (2 - (first == second).double()).sqrt()
    standardised, weights = products * lift.scales[first, second] * once, symmetric[:, first, second] * once
    torch.testing.assert_close(lift.logits(symmetric, z), standardised @ weights.T)
    torch.testing.assert_close(weights.norm(), symmetric.norm())
    gradient = lift.gradient(errors, z)
    torch.testing.assert_close(gradient, gradient.transpose(1, 2))
    torch.testing.assert_close(gradient[:, first, second] * once, errors.T @ standardised)


def test_directions_without_variation_are_left_out() -> None:
    features = _features(N)
    features[:, 0] = features[:, 1]  # one direction less
    features[:, 2] = 5  # and another
    assert lift_on(features, D).components == D - 2


def test_equal_inputs_have_no_products() -> None:
    equal = torch.ones(10, 3)
    lift = lift_on(equal, 3)
    assert lift.coordinates(equal).abs().max() == 0
    assert lift.scales.tolist() == [[0.0]]


@pytest.mark.parametrize("components", [0, 2])
def test_lift_separates_what_no_line_separates(components: int) -> None:
    """Four clouds on the corners of a square, opposite ones of the same class."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.randint(0, 2, (800, 2), generator=generator)
    features = corners * 2.0 - 1 + 0.2 * torch.randn(800, 2, generator=generator)
    examples = Examples(features, corners[:, 0] ^ corners[:, 1])
    lift = lift_on(features, components) if components else None
    settings = dataclasses.replace(TUNED, epochs=20, batch_size=32)
    fitted = fit(examples, examples, 2, settings, torch.Generator().manual_seed(0), lift=lift)
    accuracy = evaluate(fitted.model, examples).accuracy
    assert accuracy > 0.99 if components else accuracy < 0.76  # a line has three corners on its right sides at most


def test_model_keeps_its_products_in_every_form() -> None:
    features = _features(30)
    lift = lift_on(features, K)
    model = SoftmaxRegression.initial(D, 3, torch.Generator().manual_seed(0), lift)
    assert model.products is not None
    model.products.add_(torch.eye(K))
    copy, wide = model.copy(), model.to(dtype=torch.float64)
    z = lift.coordinates(features)
    products = (z.square() - 1) @ lift.scales.diagonal()  # the same for all classes
    expected = features @ model.weights.double() + products[:, None]
    model.products.zero_()
    torch.testing.assert_close(wide.logits(features), expected)
    torch.testing.assert_close(copy.logits(features.float()), expected.float(), rtol=1e-4, atol=1e-4)
    assert wide.zeros().lift is None


def test_too_many_products_are_refused_with_a_way_out() -> None:
    require_room(64, 1000)
    with pytest.raises(TrainingError, match=r"--lift quadratic:1024 .* 1000 classes .* at most 366"):
        require_room(1024, 1000)
