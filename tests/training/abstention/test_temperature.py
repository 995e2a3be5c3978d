"""One temperature makes probabilities mean what they say."""

import numpy as np
import pytest
import torch

from training.abstention.temperature import fit_temperature
from training.softmax import cross_entropy


def _drawn(temperature: float, size: int = 20_000) -> tuple[torch.Tensor, np.ndarray]:
    """Logits, and labels drawn from softmax(logits / temperature)."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.normal(0.0, 3.0, (size, 5), generator=generator, dtype=torch.float64)
    labels = torch.multinomial(torch.softmax(logits / temperature, dim=1), 1, generator=generator)[:, 0]
    return logits, labels.numpy()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_temperature_that_drew_the_labels_is_found(temperature: float) -> None:
    assert fit_temperature(*_drawn(temperature)) == pytest.approx(temperature, rel=0.05)


def test_no_neighbour_has_a_smaller_loss() -> None:
    logits, labels = _drawn(1.7, 500)
    best = fit_temperature(logits, labels)
    truth = torch.from_numpy(labels)
    losses = [cross_entropy(logits / t, truth).item() for t in (best, best * 1.001, best / 1.001)]
    assert losses[0] == min(losses)


def test_labels_that_are_always_right_end_at_the_limit() -> None:
    logits = torch.eye(3, dtype=torch.float64)
    assert fit_temperature(logits, np.arange(3)) == pytest.approx(0.01, rel=1e-3)


def test_labels_that_are_always_wrong_end_at_the_other() -> None:
    logits = torch.eye(3, dtype=torch.float64)
    assert fit_temperature(logits, np.array([1, 2, 0])) == pytest.approx(100, rel=1e-3)
