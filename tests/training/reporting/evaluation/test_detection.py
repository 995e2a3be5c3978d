"""AUROC and FPR95 against scikit-learn, with strange or with normal inputs as the positive class."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from training.reporting.evaluation.detection import Separation, auroc, fpr95


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("steps", [5, 1000], ids=["ties", "few ties"])
def test_values_equal_those_of_scikit_learn(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    normal = np.rint(rng.normal(0, 1, 300) * steps) / steps
    strange = np.rint(rng.normal(1, 2, 200) * steps) / steps
    scores, is_strange = np.concatenate([normal, strange]), np.repeat([0, 1], [300, 200])
    assert auroc(normal, strange) == pytest.approx(roc_auc_score(is_strange, scores), abs=1e-12)
    taken, kept, _ = roc_curve(1 - is_strange, -scores, drop_intermediate=False)
    assert fpr95(normal, strange) == pytest.approx(taken[np.argmax(kept >= 0.95)], abs=1e-12)


def test_separated_reversed_and_equal_scores() -> None:
    low, high = np.arange(20.0), np.arange(100.0, 120.0)
    assert Separation.of(low, high) == Separation(auroc=1.0, fpr95=0.0)
    assert Separation.of(high, low) == Separation(auroc=0.0, fpr95=1.0)
    assert Separation.of(np.zeros(10), np.zeros(4)) == Separation(auroc=0.5, fpr95=1.0)


def test_threshold_keeps_exactly_95_in_100() -> None:
    """A rank computed in floating point would be one too high."""
    normal = np.arange(100.0)
    assert fpr95(normal, np.array([94.0])) == 1.0
    assert fpr95(normal, np.array([94.5])) == 0.0
