"""The reference of the drift test: a held-out split's scores in bins."""

from pathlib import Path

import numpy as np
import pytest

from service.inference.classifier import Classifier, Scores
from service.inference.outcome import ModelRef
from service.monitoring.drift.drift import Drift
from training.certification.reference import histogram, reference
from training.data.dataset import Dataset
from training.data.splits import split


def _scores(rows: np.ndarray, ood_score: np.ndarray | None = None) -> Scores:
    return Scores(rows, rows.max(axis=1), np.zeros(len(rows), np.float32) if ood_score is None else ood_score)


def test_bins_hold_about_the_shares_of_their_quantiles() -> None:
    values = np.random.default_rng(0).normal(size=(2, 10_000)).astype(np.float32)
    bins = histogram(values[0], values[0])
    assert bins.counts == pytest.approx([100, 900, *[1000] * 8, 900, 100], abs=1)
    assert np.array(bins.edges, dtype=np.float32).tolist() == bins.edges
    other = histogram(values[1], values[0])
    assert other.edges == bins.edges
    assert other.counts == pytest.approx(bins.counts, abs=150)
    assert other.counts != bins.counts


def test_equal_values_are_one_edge() -> None:
    bins = histogram(np.ones(50, dtype=np.float32), np.ones(7, dtype=np.float32))
    assert (bins.edges, bins.counts) == ([1.0], [0, 50])


def test_most_likely_labels_are_counted_including_zeros() -> None:
    rows = np.array([[0.5, 0.5, 0], [0.2, 0.8, 0]], dtype=np.float32)
    result = reference("report", "0" * 64, _scores(rows), _scores(rows[::-1]))
    assert (result.labels, result.size, result.split) == ([1, 1, 0], 2, "report")
    assert result.own_labels is None


@pytest.mark.parametrize("classes", [100, 101])
def test_other_examples_decide_which_of_many_labels_have_bins(classes: int) -> None:
    """The split itself does not: other labels are the most frequent ones there."""
    counted = np.eye(classes, dtype=np.float32)[[0] * 5 + [1] * 3]
    others = np.eye(classes, dtype=np.float32)[[*range(2, classes), *range(2, classes), 1]]
    result = reference("calibration", "0" * 64, _scores(counted), _scores(others))
    assert result.own_labels == (None if classes == 100 else [*range(2, classes)])
    assert result.labels[:3] == [5, 3, 0]


def test_reference_of_a_trained_model_is_its_calibration_split_in_bins_of_tune(
    trained_model: Path, dataset: Dataset
) -> None:
    model = Classifier.load(trained_model)
    splits = split(dataset, "tuned", model.manifest.training.seed)
    assert splits.calibration is not None
    tune, calibration = (model.scores(part.inputs) for part in (splits.tune, splits.calibration))
    result = model.manifest.reference
    assert result == reference("calibration", splits.calibration.fingerprint(), calibration, tune)
    assert result.confidence.edges == histogram(tune.confidence, tune.confidence).edges
    assert result.confidence.edges != histogram(calibration.confidence, calibration.confidence).edges


def test_report_split_does_not_drift_from_it_and_inverted_pictures_do(trained_model: Path, dataset: Dataset) -> None:
    model = Classifier.load(trained_model)
    report = split(dataset, "tuned", model.manifest.training.seed).report.inputs
    status = {}
    for name, inputs in (("report", report), ("inverted", 255 - report)):
        drift = Drift(model.manifest.reference, 10_000)
        drift.record(model.scores(inputs))
        state = drift.state(ModelRef(name="m", version=model.version), model.manifest.labels)
        status[name] = [state.labels.status, state.confidence.status, state.ood_score.status]
    assert status == {"report": ["stable"] * 3, "inverted": ["drifted"] * 3}
