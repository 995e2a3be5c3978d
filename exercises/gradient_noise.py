"""The noise of a minibatch's gradient."""

import torch

from training.fitting.examples import Examples
from training.fitting.regression import SoftmaxRegression
from training.fitting.softmax import softmax


def noise_scale(model: SoftmaxRegression, examples: Examples) -> float:
    """The minibatch size at which the gradient's noise is as large as the gradient: tr(covariance) / |mean|^2.

    Of the gradients of single examples (McCandlish et al. 2018, arXiv 1812.06162, the simple noise scale). An
    example's gradient is the product of (features, 1) and (probabilities - one-hot label), so its squared length is
    the product of theirs.

    >>> two = Examples(torch.tensor([[1.0], [2.0]]), torch.tensor([0, 0]))
    >>> noise_scale(SoftmaxRegression(torch.zeros(1, 2), torch.zeros(2)), two)  # 0.25 / 3.25 * 2 / 2
    0.0769...
    """
    errors = softmax(model.logits(examples.features))
    errors[torch.arange(len(examples)), examples.labels] -= 1
    gradient = torch.cat([examples.features.T @ errors, errors.sum(dim=0, keepdim=True)]) / len(examples)
    lengths = (examples.features.square().sum(dim=1) + 1) * errors.square().sum(dim=1)
    squared = gradient.square().sum().item()
    return (lengths.mean().item() - squared) / squared
