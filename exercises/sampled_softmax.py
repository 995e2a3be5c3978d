"""Sampled softmax: the cross-entropy against randomly drawn classes instead of all (Jean et al. 2015).

Each drawn class's logit is lessened by the logarithm of how often it is expected among the draws, so that in the
limit of many draws the loss and its gradient are the full softmax's. With few they are biased: the logarithm of an
estimated sum is on average too small (Bengio and Senecal 2008). What is fitted so is a softmax regression like any
other; its probabilities take all classes.
"""

import torch
from torch import Tensor
from torch.nn import functional


def log_uniform(classes: int) -> Tensor:
    """Zipf's law for classes sorted by falling frequency: log(1 + 1/(k + 1)) / log(V + 1), `[V]`.

    >>> log_uniform(3)
    tensor([0.5000, 0.2925, 0.2075])
    """
    ranks = torch.arange(1, classes + 1, dtype=torch.float64)
    return (torch.log1p(1 / ranks) / torch.log(torch.tensor(classes + 1.0))).to(torch.float32)


def sampled_softmax(
    features: Tensor,
    weights: Tensor,
    biases: Tensor,
    labels: Tensor,
    proposal: Tensor,
    samples: int,
    generator: torch.Generator,
) -> Tensor:
    """Mean cross-entropy of the batch against `samples` classes, drawn with repetition and shared by all rows.

    Shapes as in `linear_cross_entropy`; `proposal` `[V]` is the distribution that is drawn from. A draw that is a
    row's own label does not count for that row.
    """
    drawn = torch.multinomial(proposal, samples, replacement=True, generator=generator)
    expected = torch.log(proposal * samples)  # [V]
    # Looked up together: each look-up has a dense gradient, [V, D].
    chosen = functional.embedding(torch.cat([labels, drawn]), weights.T)
    of_labels, of_drawn = torch.split(chosen, [len(labels), samples])
    true = (features * of_labels).sum(dim=1) + biases[labels]
    logits = torch.addmm(biases[drawn] - expected[drawn], features, of_drawn.T)  # [N, samples]
    logits = logits.masked_fill(labels[:, None] == drawn, -torch.inf)
    every = torch.cat([true[:, None], logits], dim=1)
    return functional.cross_entropy(every, torch.zeros_like(labels))
