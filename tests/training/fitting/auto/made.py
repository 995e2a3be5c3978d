"""Data of three kinds, and searches over them."""

from typing import Any, Literal

import torch
from torch import Tensor

from tests.training.fitting.lifts import lift_on
from training.fitting.auto.search import Search
from training.fitting.examples import Examples

Truth = Literal["linear", "quadratic", "noise"]


def examples(truth: Truth, count: int, width: int = 4, seed: int = 0) -> Examples:
    """Two classes of normal features, float64: by their sum, by the sign of a product, or by chance."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, width, generator=generator, dtype=torch.float64)
    score = {
        "linear": 2 * features.sum(dim=1),
        "quadratic": 4 * features[:, 0] * features[:, 1],
        "noise": torch.zeros(count, dtype=torch.float64),
    }[truth]
    return Examples(features, torch.bernoulli(score.sigmoid(), generator=generator).long())


def search(features: Tensor, **given: Any) -> Search:
    """A search of two classes over features of about variance 1, with lifts on their principal axes."""
    options: dict[str, Any] = {"classes": 2, "seed": 0, "variance": 1.0}
    return Search(make_lift=lambda components: lift_on(features, components), **(options | given))
