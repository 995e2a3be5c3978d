"""Labels that are distributions over the classes: one-hot, smoothed, or from another model. Float32 `[N, C]`."""

import torch
from torch import Tensor

from training.fitting.softmax import softmax


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Distributions with all mass on the label; labels int64 `[N]`.

    >>> one_hot(torch.tensor([1]), 3)
    tensor([[0., 1., 0.]])
    """
    return torch.zeros(len(labels), classes, device=labels.device).scatter_(1, labels[:, None], 1.0)


def smoothed(labels: Tensor, classes: int, share: float) -> Tensor:
    """One-hot labels with `share` of each spread evenly over all classes (Szegedy et al. 2016, arXiv 1512.00567).

    >>> smoothed(torch.tensor([1]), 4, 0.4)
    tensor([[0.1000, 0.7000, 0.1000, 0.1000]])
    """
    return one_hot(labels, classes).mul_(1 - share).add_(share / classes)


def distilled(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities of a teacher: softmax(logits / T) (Hinton et al. 2015, arXiv 1503.02531).

    >>> distilled(torch.tensor([[0.0, 0.0]]))
    tensor([[0.5000, 0.5000]])
    """
    return softmax(logits / temperature)
