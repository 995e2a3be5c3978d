"""Softmax regression over a vocabulary: the next token from the ones before it.

V tokens, contexts of K tokens, embeddings of E numbers. The features of a context are the embeddings of its tokens, one
after the other, D = K * E; on them stands a softmax regression with V classes. It is the log-bilinear model of Mnih
and Hinton (2007), with a separate matrix for each position before the token.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from training.errors import DivergedError
from training.fitting.linear_cross_entropy import linear_cross_entropy
from training.fitting.regression import SoftmaxRegression
from training.fitting.sgd import scheduled_rate

FIRST_MOMENT, SECOND_MOMENT = 0.9, 0.99  # Adam's decay rates

Loss = Callable[[Tensor, Tensor], Tensor]  # features [B, D] and labels [B] to a scalar
LinearLoss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # features, weights, biases, labels
OnStep = Callable[[int, float], None]  # called after each step with its number, from 1, and its minibatch's loss


@dataclass(frozen=True, slots=True)
class NextToken:
    """The fitted model."""

    tokens: tuple[str, ...]  # V, by id
    embeddings: Tensor  # float32 [V, E]
    regression: SoftmaxRegression  # weights [K * E, V], biases [V]

    @property
    def context(self) -> int:
        """K, the number of tokens in a context."""
        return self.regression.weights.shape[0] // self.embeddings.shape[1]

    def features(self, contexts: Tensor) -> Tensor:
        """int64 `[N, K]`, the oldest token first -> float32 `[N, K * E]`."""
        return features(self.embeddings, contexts)


def features(embeddings: Tensor, contexts: Tensor) -> Tensor:
    """The embeddings `[V, E]` of each context `[N, K]`, side by side: `[N, K * E]`.

    >>> features(torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([[1, 0]]))
    tensor([[2., 3., 0., 1.]])
    """
    return functional.embedding(contexts, embeddings).flatten(1)


@dataclass(frozen=True, slots=True)
class NextTokenSettings:
    """How to fit one."""

    width: int = 32  # E
    learn_embeddings: bool = True  # otherwise they stay random
    batch_size: int = 1024
    learning_rate: float = 0.005  # of Adam, with a cosine schedule
    steps: int = 724  # an epoch of Python's standard library
    seed: int = 0


def fit_next_token(
    tokens: tuple[str, ...],
    contexts: Tensor,
    following: Tensor,
    settings: NextTokenSettings,
    loss: LinearLoss = linear_cross_entropy,
    on_step: OnStep | None = None,
) -> NextToken:
    """Fit contexts, int64 `[N, K]`, to the token after each, `[N]`. Raises DivergedError.

    The weights start at zero and the biases at the logarithm of the unigram probabilities.
    """
    embeddings = initial_embeddings(len(tokens), settings)
    counts = torch.bincount(following, minlength=len(tokens)) + 1.0
    weights, biases = torch.zeros(contexts.shape[1] * settings.width, len(tokens)), torch.log(counts / counts.sum())
    loss_of = partial(_with, weights, biases, loss)
    descend(embeddings, [weights, biases], loss_of, contexts, following, settings, on_step)
    return NextToken(tokens, embeddings, SoftmaxRegression(weights, biases))


def _with(weights: Tensor, biases: Tensor, loss: LinearLoss, batch: Tensor, labels: Tensor) -> Tensor:
    return loss(batch, weights, biases, labels)


def initial_embeddings(tokens: int, settings: NextTokenSettings) -> Tensor:
    """`[V, E]`, random: small where they are learnt, and of standard deviation 1 where they stay as they are."""
    sigma = 0.1 if settings.learn_embeddings else 1.0
    generator = torch.Generator().manual_seed(settings.seed)
    return torch.normal(0.0, sigma, (tokens, settings.width), generator=generator)


def descend(
    embeddings: Tensor,
    parameters: Iterable[Tensor],
    loss: Loss,
    contexts: Tensor,
    following: Tensor,
    settings: NextTokenSettings,
    on_step: OnStep | None = None,
) -> None:
    """Fit `parameters` in place, and the embeddings where they are learnt, by Adam (Kingma and Ba 2015).

    Not by SGD: a token that occurs twice in a million has a gradient in two minibatches only. Adam divides it by its
    size, so that those two count. Raises DivergedError.
    """
    learnt = [*parameters, *([embeddings] if settings.learn_embeddings else [])]
    for parameter in learnt:
        parameter.requires_grad_()
    adam = torch.optim.Adam(learnt, lr=settings.learning_rate, betas=(FIRST_MOMENT, SECOND_MOMENT))
    generator = torch.Generator().manual_seed(settings.seed)
    for step, rows in enumerate(_minibatches(len(following), settings, generator)):
        for group in adam.param_groups:
            group["lr"] = scheduled_rate("cosine", settings.learning_rate, step, settings.steps)
        value = loss(features(embeddings, contexts[rows]), following[rows])
        if not torch.isfinite(value):
            raise DivergedError(f"the fit diverged in step {step + 1}: the loss is {value.item()}")
        adam.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        adam.step()
        if on_step is not None:
            on_step(step + 1, value.item())
    for parameter in learnt:
        parameter.requires_grad_(False)
        parameter.grad = None


def _minibatches(examples: int, settings: NextTokenSettings, generator: torch.Generator) -> Iterator[Tensor]:
    epochs = (
        torch.split(torch.randperm(examples, generator=generator), settings.batch_size) for _ in itertools.count()
    )
    return itertools.islice(itertools.chain.from_iterable(epochs), settings.steps)
