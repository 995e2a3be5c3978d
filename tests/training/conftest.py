"""Fixtures for the tests of evaluations and reports: the tiny model and the trained one, evaluated."""

from pathlib import Path

import numpy as np
import pytest

from service.inference.classifier import Classifier
from tests import tiny
from training.data.dataset import Dataset, Labelled
from training.data.splits import Splits
from training.fitting.fit import Epoch, Quality
from training.reporting.evaluation.evaluation import Evaluation, evaluate
from training.reporting.evaluation.reproduce import reproduce

HISTORY = [
    Epoch(1, Quality(0.9, 0.7), Quality(0.8, 0.75)),
    Epoch(2, Quality(0.6, 0.8), Quality(0.7, 0.78)),
]


def tiny_splits(labels: list[int], images: np.ndarray = tiny.IMAGES) -> Splits:
    """Splits that all hold `images` with `labels`."""
    part = Labelled("by hand", images, np.array(labels, dtype=np.int64))
    return Splits(part, part, part, part, report_is_held_out=True)


@pytest.fixture(scope="session")
def tiny_evaluation(tiny_model: Path) -> Evaluation:
    """The tiny model on its four images; the last, a tie of left and right, is wrongly answered as left."""
    return evaluate(Classifier.load(tiny_model), tiny_splits([0, 1, 2, 2]))


@pytest.fixture(scope="session")
def evaluation(trained_model: Path, dataset: Dataset) -> Evaluation:
    """The trained model on the real report split."""
    classifier = Classifier.load(trained_model)
    return evaluate(classifier, reproduce(classifier.manifest, dataset))
