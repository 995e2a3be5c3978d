"""Softmax, its logarithm, the cross-entropy and its gradient, from scratch and stable.

Shapes: N examples, C classes. Logits are float32 or float64 `[N, C]`, labels int64 `[N]`.

The textbook form exp(z) / sum exp(z) overflows in float32 above z = 88.7, is 0/0 below -103.3, and loses digits
unnoticed in between. Softmax does not change when a row is shifted by a constant, so each row is shifted by its
maximum first: the largest exponent is then 0, nothing overflows, and the denominator is at least 1
(Blanchard, Higham and Higham 2021, "Accurately computing the log-sum-exp and softmax functions").
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

    Finite where softmax has long been rounded to 0:

    >>> log_softmax(torch.tensor([[0.0, -1000.0]]))
    tensor([[    0., -1000.]])
    """
    shifted = _shifted(logits)
    return shifted - torch.log(torch.exp(shifted).sum(dim=1, keepdim=True))


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch of -log p(true label), a scalar; natural logarithm.

    The true label's log-probability is selected by index. The textbook's sum over one-hot labels gives the same
    value by C times as many products, and 0 * log 0 where a probability is rounded to 0.

    >>> cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))  # log 2
    tensor(0.6931)
    """
    return -log_softmax(logits)[_rows(logits), labels].mean()


def cross_entropy_and_gradient(logits: Tensor, labels: Tensor, size: int | None = None) -> tuple[Tensor, Tensor]:
    """The cross-entropy and its gradient in the logits by hand: (scalar, `[N, C]`).

    The gradient is (probabilities - one-hot labels) / N. Loss and gradient share one exponential. Where the N are a
    share of a larger minibatch, `size` is that one's N: the shares' losses then add up to its loss.

    >>> loss, gradient = cross_entropy_and_gradient(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    >>> gradient
    tensor([[ 0.5000, -0.5000]])
    """
    shifted = _shifted(logits)
    gradient = torch.exp(shifted)
    denominator = gradient.sum(dim=1, keepdim=True)
    rows = _rows(logits)
    size = len(logits) if size is None else size
    loss = (denominator.log().squeeze(1) - shifted[rows, labels]).sum() / size
    gradient /= denominator
    gradient[rows, labels] -= 1
    gradient /= size
    return loss, gradient


def _shifted(logits: Tensor) -> Tensor:
    return logits - logits.amax(dim=1, keepdim=True)


def _rows(logits: Tensor) -> Tensor:
    return torch.arange(len(logits), device=logits.device)
