"""The scaling of embeddings: by one deviation where the numbers that vary most say most."""

import numpy as np
import pytest
from numpy.typing import NDArray

from service.contract.inputs import Column, FeaturesInput
from training.data.dataset import Labelled
from training.data.encoders import Scaling
from training.fitting.auto.scaling import scaling_for

D, INFORMATIVE = 60, 5


def _rows(of_noise: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Two classes that differ in a few numbers; the others are noise of this deviation."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 120)
    rows = rng.normal(0, of_noise, (120, D))
    rows[:, :INFORMATIVE] = rng.normal(0, 1, (120, INFORMATIVE)) + labels[:, None]
    return rows.astype(np.float32), labels


@pytest.mark.parametrize(
    ("of_noise", "columns", "scaling"),
    [
        (0.05, None, "common"),
        (20.0, None, "each"),
        (0.05, [Column(name=f"c{index}") for index in range(D)], "each"),
    ],
    ids=["weak noise", "strong noise", "named columns"],
)
def test_scaling_follows_what_varies_most(of_noise: float, columns: list[Column] | None, scaling: Scaling) -> None:
    inputs, labels = _rows(of_noise)
    train = Labelled("made", inputs, labels)
    assert scaling_for(FeaturesInput(width=D, columns=columns), train, 2, seed=0) == scaling
