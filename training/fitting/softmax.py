"""Softmax, its logarithm, the cross-entropy and its gradient, from scratch and numerically stable.

Shapes: N examples, C classes. Logits are float32 or float64 `[N, C]`. Labels are int64 `[N]`, or soft: of the logits'
dtype, `[N, C]`, each row a distribution over the classes.

In float32 the textbook form exp(z) / sum exp(z) overflows above z = 88.7, is 0/0 where no z is over -104.0, and
silently loses digits between -104.0 and -87.3 (`docs/chapter/softmax-numerics.md`). Softmax does not change when a row
is shifted by a constant, so each row is shifted by its maximum first: the largest exponent is 0, nothing overflows,
and the denominator is at least 1 (Blanchard, Higham and Higham 2021, "Accurately computing the log-sum-exp and
softmax functions").
"""

import torch
from torch import Tensor


def softmax(logits: Tensor) -> Tensor:
    """Probabilities, `[N, C]` -> `[N, C]`: p_k = exp(z_k - max z) / sum_j exp(z_j - max z).

    >>> softmax(torch.tensor([[1000.0, 1000.0], [0.0, -1000.0]]))
    tensor([[0.5000, 0.5000],
            [1.0000, 0.0000]])
    """
    exponentials = torch.exp(_shifted(logits))
    return exponentials / exponentials.sum(dim=1, keepdim=True)


def log_softmax(logits: Tensor) -> Tensor:
    """Log-probabilities, `[N, C]` -> `[N, C]`: z_k - max z - log sum_j exp(z_j - max z).

    Finite where softmax is rounded to 0:

    >>> log_softmax(torch.tensor([[0.0, -1000.0]]))
    tensor([[    0., -1000.]])
    """
    shifted = _shifted(logits)
    return shifted - torch.log(torch.exp(shifted).sum(dim=1, keepdim=True))


def log_sum_exp(logits: Tensor) -> Tensor:
    """log sum_j exp(z_j) of each row, `[N, C]` -> `[N]`: max z + log(1 + the sum of the other exp(z_j - max z)).

    log1p adds the largest term, exp(0) = 1, so that the other terms are not lost beside it:

    >>> log_sum_exp(torch.tensor([[0.0, -40.0], [1000.0, 1000.0]]))
    tensor([4.2484e-18, 1.0007e+03])
    """
    largest, place = logits.max(dim=1, keepdim=True)
    largest = torch.where(largest.isfinite(), largest, 0)  # a row of infinities: the sum itself gives the result
    exponentials = torch.exp(logits - largest)
    others = exponentials.scatter_add(1, place, torch.full_like(largest, -1)).sum(dim=1)
    return largest.squeeze(1) + torch.log1p(others)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch of -sum_k y_k log p_k, a scalar; natural logarithm.

    The true label's log-probability is selected by index. The textbook sum over one-hot labels gives the same value
    with C times as many products, and 0 * log 0 where a probability is rounded to 0. Soft labels need the sum; it is
    over log-probabilities, which are finite for finite logits, so log 0 cannot occur.

    >>> cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))  # log 2
    tensor(0.6931)
    >>> cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([[0.75, 0.25]]))
    tensor(0.6931)
    """
    return -_of_labels(log_softmax(logits), labels).mean()


def cross_entropy_and_gradient(logits: Tensor, labels: Tensor, size: int | None = None) -> tuple[Tensor, Tensor]:
    """The cross-entropy and its gradient in the logits, without autograd: (scalar, `[N, C]`).

    The gradient is (probabilities - labels) / N, with one-hot or soft labels. Loss and gradient share one exponential.
    Where the N are a share of a larger minibatch, `size` is its number of examples; the losses of all shares add up.

    >>> loss, gradient = cross_entropy_and_gradient(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    >>> gradient
    tensor([[ 0.5000, -0.5000]])
    """
    shifted = _shifted(logits)
    gradient = torch.exp(shifted)
    denominator = gradient.sum(dim=1, keepdim=True)
    size = len(logits) if size is None else size
    loss = (denominator.log().squeeze(1) - _of_labels(shifted, labels)).sum() / size
    gradient /= denominator
    if labels.is_floating_point():
        gradient -= labels
    else:
        gradient[_rows(logits), labels] -= 1
    gradient /= size
    return loss, gradient


def _shifted(logits: Tensor) -> Tensor:
    return logits - logits.amax(dim=1, keepdim=True)


def _of_labels(values: Tensor, labels: Tensor) -> Tensor:
    """Each row's value at its label, or its mean weighted by a soft label, `[N]`."""
    if labels.is_floating_point():
        return (labels * values).sum(dim=1)
    return values[_rows(values), labels]


def _rows(logits: Tensor) -> Tensor:
    return torch.arange(len(logits), device=logits.device)
