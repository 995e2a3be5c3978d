"""The models of the exercise about large vocabularies: the fits, and how well they predict."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from exercises.sampled_softmax import sampled_softmax
from exercises.vocabulary_costs import SAMPLES, cutoffs
from training.data.text.task import CONTEXT, Places, Task
from training.fitting.next_token import (
    NextToken,
    NextTokenSettings,
    descend,
    features,
    fit_next_token,
    initial_embeddings,
)

_BLOCK = 256  # contexts whose logits are in memory at once

LogProbabilities = Callable[[Tensor], Tensor]  # of contexts [N, K]: [N, V]


@dataclass(frozen=True, slots=True)
class Scores:
    """The predictions of N places."""

    log_probability: NDArray[np.float64]  # [N], of the true token
    rank: NDArray[np.int64]  # [N], how many tokens were likelier than the true one
    confidence: NDArray[np.float64]  # [N], the largest probability

    @property
    def perplexity(self) -> float:
        """exp of the mean of -log p."""
        return float(np.exp(-self.log_probability.mean()))

    def hits(self, k: int = 1) -> NDArray[np.bool_]:
        """Whether the true token was among the k likeliest."""
        return self.rank < k


def score(predict: LogProbabilities, places: Places) -> Scores:
    """Predict each place, in blocks."""
    parts = []
    for contexts, following in zip(
        torch.split(places.contexts, _BLOCK), torch.split(places.following, _BLOCK), strict=True
    ):
        logs = predict(contexts)
        true = logs.gather(1, following[:, None])
        parts.append(torch.stack([true.squeeze(1), (logs > true).sum(dim=1), logs.amax(dim=1).exp()]).double())
    log_probability, rank, confidence = torch.cat(parts, dim=1).numpy()
    return Scores(log_probability, rank.astype(np.int64), confidence)


def exact(task: Task, settings: NextTokenSettings) -> NextToken:
    """Fit by the full softmax without materialising all logits."""
    return fit_next_token(task.vocabulary.tokens, task.train.contexts, task.train.following, settings)


def by_samples(task: Task, settings: NextTokenSettings) -> NextToken:
    """Fit by sampled softmax, with classes drawn by frequency."""
    loss = partial(
        sampled_softmax,
        proposal=torch.from_numpy(task.unigram.probabilities).to(torch.float32),
        samples=SAMPLES,
        generator=torch.Generator().manual_seed(settings.seed),
    )
    return fit_next_token(task.vocabulary.tokens, task.train.contexts, task.train.following, settings, loss)


def log_probabilities(model: NextToken) -> LogProbabilities:
    """Log-probabilities by the full softmax, for a model fitted in any way."""
    return lambda contexts: torch.log_softmax(model.regression.logits(model.features(contexts)), dim=1)


def adaptive(task: Task, settings: NextTokenSettings) -> tuple[LogProbabilities, int]:
    """Fit adaptive softmax, a model with fewer features for rare tokens; also return its number of parameters."""
    size = len(task.vocabulary)
    embeddings = initial_embeddings(size, settings)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)  # torch's layers draw from the global generator
        head = nn.AdaptiveLogSoftmaxWithLoss(CONTEXT * settings.width, size, cutoffs(size))

    def loss(batch: Tensor, labels: Tensor) -> Tensor:
        value: Tensor = head(batch, labels).loss
        return value

    descend(embeddings, head.parameters(), loss, task.train.contexts, task.train.following, settings)
    parameters = embeddings.numel() + sum(parameter.numel() for parameter in head.parameters())
    return lambda contexts: head.log_prob(features(embeddings, contexts)), parameters
