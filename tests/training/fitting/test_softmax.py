"""Softmax and cross-entropy against torch and SciPy, also at the edges of the number range."""

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.special
import torch
import torch.nn.functional as F  # noqa: N812  # its own documentation's name
from torch import Tensor

from exercises.soft_labels import one_hot
from training.fitting.softmax import cross_entropy, cross_entropy_and_gradient, log_softmax, log_sum_exp, softmax

DTYPES = [torch.float32, torch.float64]
SHAPES = [(1, 2), (7, 10), (3, 1000)]
SCALES = [1.0, 100.0, 1e4]
SHIFTS = [0.0, 1e6, -1e6]


def _logits(shape: tuple[int, int], scale: float, shift: float, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1
    return (uniform * scale + shift).to(dtype)


def _labels(logits: Tensor) -> Tensor:
    return torch.arange(len(logits)) * 3 % logits.shape[1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shape", SHAPES)
def test_functions_equal_those_of_torch_and_scipy(
    shape: tuple[int, int], scale: float, shift: float, dtype: torch.dtype
) -> None:
    logits = _logits(shape, scale, shift, dtype)
    exact: Any = logits.double().numpy()
    single = dtype == torch.float32
    relative = 4e-6 if single else 1e-13

    def assert_close(ours: Any, theirs: Any, absolute: float) -> None:
        np.testing.assert_allclose(ours, theirs, rtol=relative, atol=absolute)

    for reference in (scipy.special.softmax(exact, axis=1), torch.softmax(logits, 1).numpy()):
        assert_close(softmax(logits).numpy(), reference, 1e-30)
    for reference in (scipy.special.log_softmax(exact, axis=1), torch.log_softmax(logits, 1).numpy()):
        assert_close(log_softmax(logits).numpy(), reference, 1e-6 if single else 1e-13)

    labels = _labels(logits)
    expected = F.cross_entropy(logits, labels).item()
    assert cross_entropy(logits, labels).item() == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert cross_entropy_and_gradient(logits, labels)[0].item() == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", SCALES)
def test_rows_are_probabilities(scale: float, dtype: torch.dtype) -> None:
    probabilities = softmax(_logits((100, 10), scale, 0.0, dtype))
    assert bool((probabilities >= 0).all())
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(100, dtype=dtype))


def test_shift_of_a_row_changes_nothing() -> None:
    logits = _logits((20, 10), 10.0, 0.0, torch.float64).round(decimals=3)
    integers = (logits * 1024).round()  # whole numbers stay exact under a shift by 1e6
    torch.testing.assert_close(softmax(integers + 1e6), softmax(integers), rtol=0, atol=0)
    torch.testing.assert_close(log_softmax(integers - 1e6), log_softmax(integers), rtol=0, atol=0)


@pytest.mark.parametrize(
    "row",
    [[100.0, 0.0, 0.0], [-100.5, -101.0, -102.0], [-1000.0, -1001.0, -1002.0], [1000.0, 1000.0, 1000.0]],
    ids=["overflow", "silently wrong", "underflow", "far and equal"],
)
def test_rows_where_the_textbook_form_fails(row: list[float]) -> None:
    logits = torch.tensor([row])
    textbook = torch.exp(logits) / torch.exp(logits).sum()
    expected = scipy.special.softmax(np.array([row]), axis=1)
    np.testing.assert_allclose(softmax(logits).numpy(), expected, rtol=1e-6, atol=1e-30)
    assert not np.allclose(textbook.numpy(), expected, rtol=0.01)  # otherwise this row proves nothing


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_nonfinite_rows_behave_as_in_torch(classes: int, dtype: torch.dtype) -> None:
    every = list(itertools.product([INF, -INF, NAN, 0.0, 1000.0, -1000.0], repeat=classes))
    logits = torch.tensor(every, dtype=dtype)
    for ours, theirs in (
        (softmax, torch.softmax),
        (log_softmax, torch.log_softmax),
        (log_sum_exp, torch.logsumexp),
    ):
        torch.testing.assert_close(ours(logits), theirs(logits, 1), equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", SCALES)
def test_log_sum_exp_equals_those_of_torch_and_scipy(scale: float, dtype: torch.dtype) -> None:
    logits = _logits((7, 10), scale, 0.0, dtype)
    relative = 4e-6 if dtype == torch.float32 else 1e-13
    for reference in (scipy.special.logsumexp(logits.double().numpy(), axis=1), torch.logsumexp(logits, 1).numpy()):
        np.testing.assert_allclose(log_sum_exp(logits).numpy(), reference, rtol=relative)


def test_soft_labels_equal_torch() -> None:
    logits = _logits((16, 10), 30.0, 0.0, torch.float64).requires_grad_()
    targets = torch.softmax(_logits((16, 10), 2.0, 1.0, torch.float64), 1)
    expected = F.cross_entropy(logits, targets)
    expected.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    with torch.no_grad():
        loss, gradient = cross_entropy_and_gradient(logits, targets)
        torch.testing.assert_close(cross_entropy(logits, targets), expected.detach(), rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(gradient, logits.grad, rtol=0, atol=1e-14)


def test_one_hot_labels_equal_class_labels() -> None:
    logits = _logits((16, 10), 3.0, 0.0, torch.float32)
    labels = _labels(logits)
    by_index, by_sum = (cross_entropy_and_gradient(logits, y) for y in (labels, one_hot(labels, 10)))
    torch.testing.assert_close(by_index[0], by_sum[0])
    torch.testing.assert_close(by_index[1], by_sum[1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_gradient_by_hand_equals_autograd(scale: float) -> None:
    logits = _logits((16, 10), scale, 0.0, torch.float64).requires_grad_()
    labels = _labels(logits)
    cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    with torch.no_grad():
        loss, gradient = cross_entropy_and_gradient(logits, labels)
    torch.testing.assert_close(gradient, logits.grad, rtol=0, atol=1e-14)
    torch.testing.assert_close(loss, cross_entropy(logits, labels).detach(), rtol=1e-14, atol=1e-14)


class _ByHand(torch.autograd.Function):
    """The cross-entropy with the gradient by hand as its derivative."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        loss, gradient = cross_entropy_and_gradient(logits, labels)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *outputs: Any) -> Any:
        (gradient,) = ctx.saved_tensors
        return gradient * outputs[0], None


def test_gradients_equal_finite_differences() -> None:
    logits = _logits((5, 4), 3.0, 0.0, torch.float64).requires_grad_()
    labels = _labels(logits)

    def by_hand(z: Tensor) -> Any:
        return _ByHand.apply(z, labels)  # type: ignore[no-untyped-call]

    assert torch.autograd.gradcheck(lambda z: cross_entropy(z, labels), (logits,))
    assert torch.autograd.gradcheck(by_hand, (logits,))
    assert torch.autograd.gradcheck(log_sum_exp, (logits,))


def test_gradient_is_zero_if_certain_and_right_and_bounded_if_wrong() -> None:
    logits = torch.tensor([[1e4, 0.0], [1e4, 0.0]])
    loss, gradient = cross_entropy_and_gradient(logits, torch.tensor([0, 1]))
    assert loss.item() == 5000.0
    assert gradient.tolist() == [[0.0, 0.0], [0.5, -0.5]]


def test_shares_of_a_minibatch_add_up_to_its_gradient() -> None:
    logits = _logits((7, 4), 3.0, 0.0, torch.float64)
    labels = _labels(logits)
    loss, gradient = cross_entropy_and_gradient(logits, labels)
    shares = [
        cross_entropy_and_gradient(logits[part], labels[part], 7) for part in (slice(3), slice(3, 7), slice(7, 7))
    ]
    torch.testing.assert_close(torch.stack([share[0] for share in shares]).sum(), loss, rtol=1e-14, atol=0)
    torch.testing.assert_close(torch.cat([share[1] for share in shares]), gradient, rtol=0, atol=0)


def test_inputs_are_not_modified() -> None:
    logits = _logits((5, 4), 3.0, 0.0, torch.float32)
    before = logits.clone()
    cross_entropy_and_gradient(logits, _labels(logits))
    softmax(logits)
    assert torch.equal(logits, before)
