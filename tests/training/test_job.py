"""The complete job on the real data, with one epoch."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from service.contract.policy import NeverAbstainPolicy
from service.inference.classifier import Classifier
from training.certification.reference import reference
from training.data.dataset import Dataset
from training.data.options import Recipe
from training.data.splits import split
from training.errors import GateError, TrainingError
from training.fitting.recipes import RECIPES
from training.fitting.workers import Device
from training.job import Job, JobResult, run

SEED = 11


def _job(out: Path, recipe: Recipe = "tuned", device: Device = "cpu", min_accuracy: float | None = None) -> Job:
    return Job(recipe, dataclasses.replace(RECIPES[recipe], epochs=1), SEED, device, out, min_accuracy)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> tuple[Path, JobResult]:
    out = tmp_path_factory.mktemp("job") / "model.onnx"
    return out, run(_job(out), dataset)


def test_file_matches_the_outcome(published: tuple[Path, JobResult]) -> None:
    out, outcome = published
    model = Classifier.load(out)
    assert (model.manifest, model.version) == (outcome.manifest, outcome.version)
    assert outcome.difference <= 1e-6


def test_manifest_records_the_training(published: tuple[Path, JobResult], dataset: Dataset) -> None:
    manifest = published[1].manifest
    assert manifest.name == "fashion-mnist"
    assert manifest.labels == list(dataset.classes)
    assert manifest.input.row_shape == (28, 28)
    training = manifest.training
    assert (training.recipe, training.seed, training.epochs, training.device) == ("tuned", SEED, 1, "cpu")
    assert training.best_epoch == 1
    assert manifest.data == split(dataset, "tuned", SEED).describe(dataset)
    assert manifest.versions["torch"].startswith(torch.__version__.split("+")[0])


def test_metrics_equal_those_of_the_served_file(published: tuple[Path, JobResult], dataset: Dataset) -> None:
    out, outcome = published
    report = split(dataset, "tuned", SEED).report
    probabilities = Classifier.load(out).scores(report.inputs).probabilities
    assert outcome.manifest.metrics.size == len(report)
    assert outcome.manifest.metrics.accuracy == (probabilities.argmax(axis=1) == report.labels).mean()
    true_label = probabilities[np.arange(len(report)), report.labels].astype(np.float64)
    assert outcome.manifest.metrics.nll == pytest.approx(-np.log(true_label).mean(), abs=1e-6)


def test_golden_vectors_hold_one_image_per_class(published: tuple[Path, JobResult], dataset: Dataset) -> None:
    manifest = published[1].manifest
    inputs = manifest.golden.decoded_inputs(manifest.input)
    report = split(dataset, "tuned", SEED).report
    for number, image in enumerate(inputs):
        same = (report.inputs == image).all(axis=(1, 2))
        assert number in report.labels[same]
    assert len(inputs) == 10


def test_chapter_model_states_that_its_report_split_is_not_held_out(tmp_path: Path, dataset: Dataset) -> None:
    outcome = run(_job(tmp_path / "model.onnx", "chapter"), dataset)
    assert outcome.manifest.training.recipe == "chapter"
    assert outcome.manifest.data.report_is_held_out is False
    assert outcome.manifest.abstention is None
    assert outcome.manifest.temperature == 1.0
    assert outcome.manifest.default_policy == NeverAbstainPolicy()
    assert outcome.manifest.metrics.size == 10_000
    assert [point.policy for point in outcome.manifest.metrics.operating_points] == [NeverAbstainPolicy()]
    curve = outcome.manifest.metrics.risk_coverage
    assert (curve.answered[-1], curve.errors[-1]) == (10_000, round(10_000 * (1 - outcome.manifest.metrics.accuracy)))
    assert outcome.fit.history[0].tune.accuracy == pytest.approx(outcome.manifest.metrics.accuracy)
    report, train = (outcome.classifier.scores(part) for part in (dataset.test.inputs, dataset.train.inputs[:10_000]))
    assert outcome.manifest.reference == reference("report", dataset.test.fingerprint(), report, train)


def test_model_below_the_accuracy_gate_is_not_published(tmp_path: Path, dataset: Dataset) -> None:
    out = tmp_path / "model.onnx"
    out.write_bytes(b"the one before")
    with pytest.raises(GateError, match=r"accuracy 0\.8\d+ on the report split is under --min-accuracy 0\.99"):
        run(_job(out, min_accuracy=0.99), dataset)
    assert out.read_bytes() == b"the one before"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_without_a_gpu(tmp_path: Path, dataset: Dataset) -> None:
    with pytest.raises(TrainingError, match="--device cuda: torch finds no CUDA device"):
        run(_job(tmp_path / "model.onnx", device="cuda"), dataset)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_fit_on_cuda_agrees_with_the_cpu(tmp_path: Path, dataset: Dataset) -> None:
    outcomes = [run(_job(tmp_path / "model.onnx", device=device), dataset) for device in ("cpu", "cuda")]
    accuracies = [outcome.manifest.metrics.accuracy for outcome in outcomes]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.01)
