"""Temperature scaling calibrates the probabilities."""

import numpy as np
import pytest
import torch

from training.certification.temperature import fit_temperature
from training.fitting.softmax import cross_entropy


def _drawn(temperature: float, size: int = 20_000) -> tuple[torch.Tensor, np.ndarray]:
    """Logits, and labels drawn from softmax(logits / temperature)."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.normal(0.0, 3.0, (size, 5), generator=generator, dtype=torch.float64)
    labels = torch.multinomial(torch.softmax(logits / temperature, dim=1), 1, generator=generator)[:, 0]
    return logits, labels.numpy()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_temperature_that_drew_the_labels_is_found(temperature: float) -> None:
    assert fit_temperature(*_drawn(temperature)) == pytest.approx(temperature, rel=0.05)


def test_labels_that_are_always_right_do_not_give_unlimited_confidence() -> None:
    """The fit assumes one error in N + 1: with N = 9 the likelier of two classes gets 9/10."""
    logits = torch.tensor([[3.0, 0.0]] * 9, dtype=torch.float64)
    temperature = fit_temperature(logits, np.zeros(9, dtype=np.int64))
    assert torch.softmax(logits[0] / temperature, dim=0)[0].item() == pytest.approx(0.9, abs=1e-6)


def test_smoothing_vanishes_with_many_examples() -> None:
    logits, labels = _drawn(1.7, 5000)
    truth = torch.from_numpy(labels)
    best = min(np.linspace(1.5, 1.9, 401), key=lambda t: cross_entropy(logits / t, truth).item())
    assert fit_temperature(logits, labels) == pytest.approx(best, rel=0.005)


def test_labels_that_are_always_wrong_end_at_the_limit() -> None:
    logits = torch.eye(3, dtype=torch.float64)
    assert fit_temperature(logits, np.array([1, 2, 0])) == pytest.approx(100, rel=1e-3)
