"""Loss and gradient of softmax regression on a minibatch, without autograd and fast for few classes.

Shapes: N examples, D features, C classes. A minibatch is cut into P parts of B = N / P examples. Logits are
`[P, C, B]`: a class is a row, so that maxima and sums over the classes are vectorised over the examples. Labels are
int64 `[N]`, or soft: of the features' dtype, `[N, C]`, each row a distribution over the classes.

With the errors G = (probabilities - labels) / N, `[N, C]`, the gradient is X^T G in the weights, and the sum of G's
rows in the biases. The code computes (G^T X)^T, which for ten classes takes a quarter of the time of X^T G.
"""

import torch
from torch import Tensor

from training.fitting.examples import Examples, Minibatch
from training.fitting.regression import SoftmaxRegression

# With few classes a matrix product is so flat that two threads hardly beat one. So each thread gets its own product.
_FEW_CLASSES = 64
_MIN_EXAMPLES = 32  # of a part


def loss(model: SoftmaxRegression, examples: Examples) -> tuple[Tensor, Tensor]:
    """The sum of the losses, and the number of examples whose likeliest class is the label: two scalars.

    >>> even = SoftmaxRegression(torch.zeros(1, 2), torch.zeros(2))
    >>> loss(even, Examples(torch.tensor([[3.0], [4.0]]), torch.tensor([0, 1])))  # 2 log 2
    (tensor(1.3863), tensor(1))
    """
    multiples, unit = examples.multiples
    parts = _parts(multiples, len(model.biases))
    logits = _logits(model, parts, unit)
    _add_products(logits, model, _coordinates(model, multiples, unit))
    losses, hits = softmax_(logits, by_class(examples.labels, len(parts)))
    return losses.sum(), hits.sum()


def loss_and_gradient(model: SoftmaxRegression, batch: Minibatch) -> tuple[Tensor, Tensor, SoftmaxRegression]:
    """The results of `loss`, and the gradient of that sum divided by the size of the minibatch over all workers.

    >>> even = SoftmaxRegression(torch.zeros(1, 2), torch.zeros(2))
    >>> loss_and_gradient(even, Minibatch(torch.tensor([[3.0]]), torch.tensor([1]), size=1))[2]
    SoftmaxRegression(weights=tensor([[ 1.5000, -1.5000]]), biases=tensor([ 0.5000, -0.5000]), products=None, lift=None)
    """
    multiples, unit = batch.multiples
    parts = _parts(multiples, len(model.biases))
    labels = by_class(batch.labels, len(parts))
    errors = _logits(model, parts, unit)
    z = _coordinates(model, multiples, unit)
    _add_products(errors, model, z)
    losses, hits = softmax_(errors, labels)
    subtract_(errors, labels)
    errors /= batch.size * unit
    products = None
    if model.lift is not None and z is not None:
        products = model.lift.gradient(errors.transpose(1, 2).flatten(0, 1), z).mul_(unit)
    gradient = SoftmaxRegression(_weights(errors, parts).T, errors.sum(dim=(0, 2)).mul_(unit), products)
    return losses.sum(), hits.sum(), gradient


def softmax_(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Turn logits `[P, C, B]` in place into probabilities; return each loss and whether it is right, `[P, B]`.

    Labels as `by_class` gives them. Stable like `softmax`: the largest logit is subtracted first.

    >>> logits = torch.tensor([[[0.0, 0.0], [0.0, 1000.0]]])
    >>> softmax_(logits, torch.tensor([[[1, 1]]]))  # the first of equal classes is the likeliest
    (tensor([[0.6931, 0.0000]]), tensor([[False,  True]]))
    >>> logits
    tensor([[[0.5000, 0.0000],
             [0.5000, 1.0000]]])
    """
    soft = labels.is_floating_point()
    largest, likeliest = logits.max(dim=1, keepdim=True)
    logits -= largest
    of_label = (labels * logits).sum(dim=1) if soft else logits.gather(1, labels).squeeze(1)
    denominators = logits.exp_().sum(dim=1, keepdim=True)
    logits /= denominators
    right = likeliest == (labels.argmax(dim=1, keepdim=True) if soft else labels)
    return denominators.log_().squeeze(1).sub_(of_label), right.squeeze(1)


def subtract_(probabilities: Tensor, labels: Tensor) -> None:
    """Subtract the labels, as `by_class` gives them, from probabilities `[P, C, B]`: 1 at each label, or soft."""
    if labels.is_floating_point():
        probabilities -= labels
    else:
        probabilities.scatter_add_(1, labels, probabilities.new_full((), -1.0).expand(labels.shape))


def by_class(labels: Tensor, parts: int) -> Tensor:
    """Labels `[N]` as `[P, 1, B]`, soft ones `[N, C]` as `[P, C, B]`."""
    examples = len(labels) // parts
    if labels.is_floating_point():
        return labels.reshape(parts, examples, labels.shape[1]).transpose(1, 2)
    return labels.reshape(parts, 1, examples)


def _parts(features: Tensor, classes: int) -> Tensor:
    """`[N, D]` -> `[P, B, D]`, a part for each thread where that pays."""
    examples, width = features.shape
    threads = torch.get_num_threads() if features.device.type == "cpu" else 1
    few = classes < _FEW_CLASSES and examples % threads == 0 and examples >= threads * _MIN_EXAMPLES
    parts = threads if few else 1
    return features.reshape(parts, examples // parts, width)


def _logits(model: SoftmaxRegression, parts: Tensor, unit: float) -> Tensor:
    """`[P, B, D]`, features times `unit` -> `[P, C, B]`. Divides the few weights, not the many features."""
    weights, biases = model.weights.T if unit == 1 else model.weights.T / unit, model.biases[:, None]
    if len(parts) == 1:
        return torch.addmm(biases, weights, parts[0].T)[None]
    return torch.baddbmm(biases, weights.expand(len(parts), *weights.shape), parts.transpose(1, 2))


def _coordinates(model: SoftmaxRegression, multiples: Tensor, unit: float) -> Tensor | None:
    """Of the lift, `[N, K]`, from features times `unit`."""
    return None if model.lift is None else model.lift.coordinates(multiples, unit)


def _add_products(logits: Tensor, model: SoftmaxRegression, z: Tensor | None) -> None:
    """Add the part of the products to logits `[P, C, B]`, in place."""
    if model.lift is not None and model.products is not None and z is not None:
        parts, classes, examples = logits.shape
        logits += model.lift.logits(model.products, z).view(parts, examples, classes).transpose(1, 2)


def _weights(errors: Tensor, parts: Tensor) -> Tensor:
    """The gradient in the weights, `[C, D]`: errors `[P, C, B]` times features `[P, B, D]`, summed over the parts."""
    if len(parts) == 1:
        return errors[0] @ parts[0]
    return torch.bmm(errors, parts).sum(dim=0)
