import re
import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from training.fitting.linear_cross_entropy import CHUNK_BYTES, MIN_COLUMNS, chunk_columns, linear_cross_entropy

Problem = tuple[Tensor, Tensor, Tensor, Tensor]


def _problem(
    examples: int, width: int, classes: int, spread: float = 1.0, dtype: torch.dtype = torch.float64
) -> Problem:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(examples, width, generator=generator, dtype=dtype)
    weights = torch.randn(width, classes, generator=generator, dtype=dtype) * spread
    biases = torch.randn(classes, generator=generator, dtype=dtype)
    return features, weights, biases, torch.randint(0, classes, (examples,), generator=generator)


def _ours(
    features: Tensor, weights: Tensor, biases: Tensor, labels: Tensor, columns: int | None = None
) -> list[Tensor]:
    """The loss and its gradients."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in (features, weights, biases)]
    loss = linear_cross_entropy(leaves[0], leaves[1], leaves[2], labels, columns)
    return [loss.detach(), *torch.autograd.grad(loss, leaves)]


def _materialised(features: Tensor, weights: Tensor, biases: Tensor, labels: Tensor) -> list[Tensor]:
    leaves = [tensor.detach().clone().requires_grad_() for tensor in (features, weights, biases)]
    loss = functional.cross_entropy(torch.addmm(leaves[2], leaves[0], leaves[1]), labels)
    return [loss.detach(), *torch.autograd.grad(loss, leaves)]


@pytest.mark.parametrize("columns", [1, 7, 64, 100, 1000, None])
@pytest.mark.parametrize("spread", [0.1, 3.0, 100.0])
def test_float64_equals_the_materialised_loss_within_1e_12(columns: int | None, spread: float) -> None:
    problem = _problem(23, 11, 100, spread)
    for ours, theirs in zip(_ours(*problem, columns), _materialised(*problem), strict=True):
        assert (ours - theirs).abs().max() <= 1e-12 * max(1.0, float(theirs.abs().max()))


def test_float32_is_as_close_to_float64_as_the_materialised_loss() -> None:
    problem = _problem(64, 128, 5000, 0.3, torch.float32)
    features, weights, biases, labels = problem
    exact = _materialised(features.double(), weights.double(), biases.double(), labels)
    for ours, theirs, true in zip(_ours(*problem), _materialised(*problem), exact, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - true).abs().max() <= 2 * (theirs - true).abs().max() + 1e-7 * true.abs().max()


@pytest.mark.parametrize("columns", [2, 5, 7])
def test_gradients_equal_finite_differences(columns: int) -> None:
    *leaves, labels = _problem(4, 3, 7)
    for leaf in leaves:
        leaf.requires_grad_()
    assert torch.autograd.gradcheck(lambda f, w, b: linear_cross_entropy(f, w, b, labels, columns), leaves)


def test_only_requested_gradients_are_computed() -> None:
    features, weights, biases, labels = _problem(5, 3, 9)
    for index in range(3):
        leaves = [tensor.clone() for tensor in (features, weights, biases)]
        leaves[index].requires_grad_()
        linear_cross_entropy(leaves[0], leaves[1], leaves[2], labels, 4).backward()  # type: ignore[no-untyped-call]
        expected = _materialised(features, weights, biases, labels)[1 + index]
        assert torch.allclose(leaves[index].grad, expected, rtol=1e-12, atol=1e-14)  # type: ignore[arg-type]
    assert not linear_cross_entropy(features, weights, biases, labels).requires_grad


def test_factor_of_the_loss_scales_its_gradients() -> None:
    features, weights, biases, labels = _problem(5, 3, 9)
    weights.requires_grad_()
    (3 * linear_cross_entropy(features, weights, biases, labels, 4)).backward()  # type: ignore[no-untyped-call]
    expected = 3 * _materialised(features, weights, biases, labels)[2]
    assert torch.allclose(weights.grad, expected, rtol=1e-12, atol=1e-14)  # type: ignore[arg-type]


def test_weights_of_a_linear_layer_need_no_copy() -> None:
    features, weights, biases, labels = _problem(5, 3, 9)
    by_rows = weights.T.contiguous().requires_grad_()
    linear_cross_entropy(features, by_rows.T, biases, labels, 4).backward()  # type: ignore[no-untyped-call]
    expected = _materialised(features, weights, biases, labels)[2].T
    assert torch.allclose(by_rows.grad, expected, rtol=1e-12, atol=1e-14)  # type: ignore[arg-type]


def test_large_logits_do_not_overflow() -> None:
    features, weights = torch.tensor([[1.0], [1.0]]), torch.tensor([[0.0, 1e4, -1e4, 3.0]])
    loss, gradient, *_ = _ours(features, weights, torch.zeros(4), torch.tensor([1, 0]), 1)
    assert loss.item() == 5000.0  # the mean of 0 and 1e4
    assert torch.equal(gradient, torch.tensor([[0.0], [5000.0]]))


def test_class_with_a_bias_of_minus_infinity_has_no_effect() -> None:
    features, weights, biases, labels = _problem(6, 3, 8)
    biases[:4] = -torch.inf
    labels[:] = torch.arange(6) % 4 + 4
    ours, theirs = _ours(features, weights, biases, labels, 2), _materialised(features, weights, biases, labels)
    assert all(torch.allclose(a, b, rtol=1e-12, atol=1e-14) for a, b in zip(ours, theirs, strict=True))
    assert torch.isfinite(ours[0])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_nonfinite_values_give_nan_as_in_torch(value: float) -> None:
    features, weights, biases, labels = _problem(6, 3, 8)
    features[2, 1] = value
    assert _ours(features, weights, biases, labels, 3)[0].isnan()
    assert _materialised(features, weights, biases, labels)[0].isnan()


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 9], "labels must be from 0 to 8, not 9"), ([-1, 3], "labels must be from 0 to 8, not -1")],
)
def test_label_out_of_range_is_named(labels: list[int], message: str) -> None:
    features, weights, biases, _ = _problem(2, 3, 9)
    with pytest.raises(ValueError, match=message):
        linear_cross_entropy(features, weights, biases, torch.tensor(labels))


def test_mismatched_shapes_are_named() -> None:
    features, weights, biases, labels = _problem(2, 3, 9)
    with pytest.raises(ValueError, match=re.escape("not [2, 3], [9, 3], [9], [2]")):
        linear_cross_entropy(features, weights.T, biases, labels)
    with pytest.raises(ValueError, match="columns must be at least 1, not 0"):
        linear_cross_entropy(features, weights, biases, labels, 0)


def test_no_examples_give_nan_as_in_torch() -> None:
    features, weights, biases, labels = _problem(0, 3, 9)
    assert linear_cross_entropy(features, weights, biases, labels).isnan()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_chunk_stays_within_its_bound(device: str) -> None:
    for examples in (1, 64, 2048, 100_000):
        widths = [chunk_columns(examples, v, torch.float32, torch.device(device)) for v in (1, 1000, 10**5, 10**7)]
        assert all(a <= b for a, b in pairwise(widths))
        assert widths[0] == 1
        assert all(4 * examples * width <= max(CHUNK_BYTES[device], 4 * examples * MIN_COLUMNS) for width in widths)


_PEAK = """
import resource, sys, torch
from training.fitting.linear_cross_entropy import linear_cross_entropy
features = torch.randn(1024, 32, requires_grad=True)
weights = torch.randn(32, 50_000, requires_grad=True)
biases, labels = torch.zeros(50_000, requires_grad=True), torch.arange(1024)
linear_cross_entropy(features[:8], weights, biases, labels[:8]).backward()  # what the libraries keep
weights.grad = None
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
before = peak()
linear_cross_entropy(features, weights, biases, labels).backward()
print(peak() - before)
"""


def test_logits_are_never_materialised() -> None:
    ran = subprocess.run([sys.executable, "-c", _PEAK], capture_output=True, text=True, check=True)
    logits = 4 * 1024 * 50_000
    assert int(ran.stdout) < 0.2 * logits
