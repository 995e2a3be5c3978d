"""The forms of the cross-entropy that the exercise compares; labels int64 `[N]`, mean over N, in nats."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises.soft_labels import one_hot
from training.fitting.softmax import cross_entropy_and_gradient

CLAMP = 1e-12

Form = Callable[[Tensor, Tensor], object]


def by_sum(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The definition, from probabilities `[N, C]`: -sum_k y_k log p_k over one-hot labels, which it creates."""
    return -(one_hot(labels, probabilities.shape[1]) * torch.log(probabilities)).sum(dim=1).mean()


def by_xlogy(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The same with 0 log 0 = 0."""
    return -torch.xlogy(one_hot(labels, probabilities.shape[1]), probabilities).sum(dim=1).mean()


def by_index(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The chapter's form, from probabilities `[N, C]`: only the logarithm of the true label's."""
    return -torch.log(probabilities[torch.arange(len(labels), device=labels.device), labels]).mean()


def clamped(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The chapter's form with probabilities of at least CLAMP: a common remedy."""
    return by_index(probabilities.clamp(min=CLAMP), labels)


def gradient_by_sum(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Loss and gradient from logits `[N, C]`, with one-hot labels as soft labels."""
    return cross_entropy_and_gradient(logits, one_hot(labels, logits.shape[1]))


def gradient_by_index(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Loss and gradient from logits `[N, C]`, as in the fit."""
    return cross_entropy_and_gradient(logits, labels)


FORMS: dict[str, Form] = {
    "sum": by_sum,
    "index": by_index,
    "gradient_sum": gradient_by_sum,
    "gradient_index": gradient_by_index,
}


def inputs(form: str, examples: int, classes: int, device: str) -> tuple[Tensor, Tensor]:
    """Random logits, or probabilities for the forms that take those, and labels."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(examples, classes, generator=generator).to(device)
    labels = torch.randint(classes, (examples,), generator=generator).to(device)
    return logits if form.startswith("gradient") else torch.softmax(logits, dim=1), labels
