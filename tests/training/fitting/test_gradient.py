"""Loss and gradient by hand equal autograd, for every division of a minibatch and for features stored as bytes."""

import dataclasses
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its own documentation's name

from exercises.soft_labels import smoothed
from tests.training.fitting.lifts import lift_on
from training.fitting.examples import Examples, Levels, Minibatch
from training.fitting.gradient import loss, loss_and_gradient
from training.fitting.regression import SoftmaxRegression


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def _problem(count: int, classes: int) -> tuple[SoftmaxRegression, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    model = SoftmaxRegression.initial(5, classes, generator).to(dtype=torch.float64)
    levels = torch.randint(0, 256, (count, 5), generator=generator, dtype=torch.uint8)
    return model, levels, torch.randint(0, classes, (count,), generator=generator)


def _lifted(model: SoftmaxRegression, components: int) -> SoftmaxRegression:
    """With symmetric random weights on the products of this many coordinates."""
    generator = torch.Generator().manual_seed(2)
    half = torch.randn(len(model.biases), components, components, generator=generator, dtype=torch.float64)
    lift = lift_on(torch.rand(300, 5, generator=generator, dtype=torch.float64), components)
    return dataclasses.replace(model, products=half + half.transpose(1, 2), lift=lift)


def _autograd(model: SoftmaxRegression, batch: Minibatch) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    weights, biases, *products = learnt = [tensor.clone().requires_grad_() for tensor in model.tensors]
    logits = batch.features @ weights + biases
    if model.lift is not None:
        z = (batch.features - model.lift.mean) @ model.lift.projection
        centred = z[:, :, None] * z[:, None, :] - torch.eye(z.shape[1])
        logits = logits + torch.einsum("cij,ij,nij->nc", products[0], model.lift.scales, centred)
    total = F.cross_entropy(logits, batch.labels, reduction="sum")
    return total.detach(), torch.autograd.grad(total / batch.size, learnt)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("count", [0, 1, 96, 260, 512])  # in parts where it divides
@pytest.mark.parametrize("classes", [2, 70])  # few, many
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("stored", ["features", "bytes"])
@pytest.mark.parametrize("components", [0, 3])
def test_loss_and_gradient_equal_autograd(count: int, classes: int, soft: bool, stored: str, components: int) -> None:
    model, levels, labels = _problem(count, classes)
    model = _lifted(model, components) if components else model
    targets = smoothed(labels, classes, 0.1).double() if soft else labels
    of_levels = Levels(255.0, torch.float64)
    if stored == "bytes":
        batch = Minibatch(levels, targets, of_levels, size=count + 7)
    else:
        batch = Minibatch(levels.double() / 255, targets, size=count + 7)
    total, expected = _autograd(model, batch)
    losses, hits, gradient = loss_and_gradient(model, batch)
    torch.testing.assert_close(losses, total)
    for tensor, of_autograd in zip(gradient.tensors, expected, strict=True):
        torch.testing.assert_close(tensor, of_autograd)
    likeliest = model.logits(batch.features).argmax(dim=1)
    assert hits == (likeliest == (targets.argmax(dim=1) if soft else labels)).sum()
    alone = loss(model, batch)
    torch.testing.assert_close(alone[0], losses)
    assert alone[1] == hits


@pytest.mark.parametrize("sizes", [(1024, 784, 10), (80, 784, 10), (256, 2000, 60)])
def test_few_classes_have_the_same_bits_on_any_number_of_threads(sizes: tuple[int, int, int]) -> None:
    count, width, classes = sizes
    generator = torch.Generator().manual_seed(0)
    model = SoftmaxRegression.initial(width, classes, generator)
    labels = torch.randint(0, classes, (count,), generator=generator)
    batch = Minibatch(torch.rand(count, width, generator=generator), labels, size=count)
    before = torch.get_num_threads()
    gradients = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        gradients.append(loss_and_gradient(model, batch)[2])
    torch.set_num_threads(before)
    assert all(torch.equal(one.weights, gradients[0].weights) for one in gradients)
    assert all(torch.equal(one.biases, gradients[0].biases) for one in gradients)


def test_strides_do_not_change_the_gradient() -> None:
    model, levels, labels = _problem(64, 3)
    batch = Minibatch(levels.double(), labels, size=64)
    other = SoftmaxRegression(model.weights.contiguous(), model.biases)
    assert other.weights.stride() != model.weights.stride()
    scattered = Minibatch(levels.double().T.contiguous().T, labels, size=64)
    for result in (loss_and_gradient(other, batch), loss_and_gradient(model, scattered)):
        torch.testing.assert_close(result[2].weights, loss_and_gradient(model, batch)[2].weights)


def test_operations_keep_the_strides_of_the_initial_weights() -> None:
    """The strides affect only the speed of a fit."""
    model = SoftmaxRegression.initial(5, 3, torch.Generator().manual_seed(0))
    for other in (model, model.copy(), model.to(dtype=torch.float64)):
        assert other.weights.T.is_contiguous()


def test_bytes_give_the_same_as_their_features() -> None:
    _, levels, labels = _problem(40, 3)
    images = Examples(levels, labels, Levels(255.0, torch.float32))
    assert (images.width, images.dtype, len(images)) == (5, torch.float32, 40)
    assert torch.equal(images.features, levels.float() / 255)
    assert torch.equal(images.take(torch.tensor([3, 1])).features, images.features[[3, 1]])
    assert torch.equal(torch.cat([some.features for some in images.split(7)]), images.features)
    (block,) = images.blocks()
    assert torch.equal(block.features, images.features)
