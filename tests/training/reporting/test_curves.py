"""The training curves."""

import numpy as np
import pytest

from tests.training.conftest import HISTORY
from training.reporting.pictures.curves import draw_curves


@pytest.mark.parametrize(
    ("held_out", "label"), [(True, "tune (held out of training)"), (False, "tune (the official test images)")]
)
def test_curves_are_labelled(held_out: bool, label: str) -> None:
    loss, accuracy = draw_curves(HISTORY, 2, held_out).axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == (
        "cross-entropy (nats)",
        "accuracy (share of right labels)",
    )
    assert loss.get_xlabel() == accuracy.get_xlabel() == "epoch"
    assert [line.get_label() for line in loss.lines] == ["train (mean over the epoch)", label, "kept: epoch 2"]
    assert np.asarray(accuracy.lines[1].get_ydata()).tolist() == [0.75, 0.78]
