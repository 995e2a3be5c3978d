"""What drift is measured against: the held-out split's scores, by bins."""

from pathlib import Path

import numpy as np
import pytest

from service.classifier import Classifier, Scores
from service.monitoring.drift import Drift
from service.schemas.models import ModelRef
from training.abstention.reference import histogram, reference
from training.data import Dataset
from training.data.splits import split


def test_bins_are_of_about_the_share_that_their_quantiles_say() -> None:
    values = np.random.default_rng(0).normal(size=10_000).astype(np.float32)
    found = histogram(values)
    assert found.counts == pytest.approx([100, 900, *[1000] * 8, 900, 100], abs=1)
    assert np.array(found.edges, dtype=np.float32).tolist() == found.edges


def test_equal_values_are_one_edge() -> None:
    found = histogram(np.ones(50, dtype=np.float32))
    assert (found.edges, found.counts) == ([1.0], [0, 50])


def test_likeliest_labels_are_counted_those_that_never_are_too() -> None:
    rows = np.array([[0.5, 0.5, 0], [0.2, 0.8, 0]], dtype=np.float32)
    found = reference("report", "0" * 64, Scores(rows, rows.max(axis=1), np.zeros(2, np.float32)))
    assert (found.labels, found.size, found.split) == ([1, 1, 0], 2, "report")


def test_reference_of_a_trained_model_is_its_calibration_split(trained_model: Path, dataset: Dataset) -> None:
    model = Classifier.load(trained_model)
    calibration = split(dataset, "tuned", model.manifest.training.seed).calibration
    assert calibration is not None
    scores = model.scores(calibration.inputs)
    assert model.manifest.reference == reference("calibration", calibration.fingerprint(), scores)


def test_report_split_does_not_drift_from_it_and_inverted_pictures_do(trained_model: Path, dataset: Dataset) -> None:
    model = Classifier.load(trained_model)
    report = split(dataset, "tuned", model.manifest.training.seed).report.inputs
    status = {}
    for name, inputs in (("report", report), ("inverted", 255 - report)):
        drift = Drift(model.manifest.reference, 10_000)
        drift.record(model.scores(inputs))
        found = drift.state(ModelRef(name="m", version=model.version), model.manifest.labels)
        status[name] = [found.labels.status, found.confidence.status, found.ood_score.status]
    assert status == {"report": ["stable"] * 3, "inverted": ["drifted"] * 3}
