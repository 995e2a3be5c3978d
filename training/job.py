"""The training job: data -> fit -> export -> proof -> publication. Each step stands in a module of its own."""

import base64
import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from service.manifest import GoldenVectors, Manifest, Metrics, Training
from service.policy import NeverAbstainPolicy
from training import image_input, provenance
from training.data import Dataset, LabelledImages
from training.data.splits import Splits, split
from training.errors import GateError, TrainingError
from training.export import to_onnx
from training.fit import Examples, Fit, fit
from training.metrics import accuracy
from training.publish import check_place, prove_export, publish
from training.recipes import FitSettings, Recipe
from training.report import Progress
from training.softmax import cross_entropy, softmax

GOLDEN_TOLERANCE = 1e-6  # of another processor's kernels
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Job:
    """What to train, and where to publish it."""

    recipe: Recipe
    settings: FitSettings
    seed: int
    device: Device
    out: Path
    min_accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A published model, and how it came about."""

    manifest: Manifest
    version: str
    fit: Fit
    seconds: float  # of the fit alone
    difference: float  # largest difference in a probability between torch and the file


def run(job: Job, dataset: Dataset, progress: Progress | None = None) -> Outcome:
    """Train, prove and publish. Raises TrainingError, and then nothing was published."""
    device = _device(job.device)
    check_place(job.out)
    splits = split(dataset, job.recipe, job.seed)
    fitted, seconds = _fit(job, splits, len(dataset.classes), device, progress)
    expected, metrics = _measure(fitted, splits.report)
    if job.min_accuracy is not None and metrics.accuracy < job.min_accuracy:
        raise GateError(
            f"accuracy {metrics.accuracy:.4f} on the report split is under "
            f"--min-accuracy {job.min_accuracy:g}: nothing was published"
        )
    manifest = _manifest(job, dataset, splits, fitted, metrics, _golden(splits.report, expected), device)
    classifier, difference = publish(
        to_onnx(fitted.model, manifest),
        job.out,
        lambda draft: prove_export(draft, splits.report.images, expected),
    )
    return Outcome(manifest, classifier.version, fitted, seconds, difference)


def _device(asked: Device) -> torch.device:
    if asked == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device cuda: torch finds no CUDA device on this machine")
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")


def _fit(job: Job, splits: Splits, classes: int, device: torch.device, progress: Progress | None) -> tuple[Fit, float]:
    """The fit, its model back on the CPU, and the seconds that it took."""
    train, tune = examples(splits.train).to(device), examples(splits.tune).to(device)
    generator = torch.Generator().manual_seed(job.seed)
    start = time.perf_counter()
    fitted = fit(train, tune, classes, job.settings, generator, progress)
    seconds = time.perf_counter() - start
    return dataclasses.replace(fitted, model=fitted.model.to(device=torch.device("cpu"))), seconds


def examples(part: LabelledImages) -> Examples:
    """One part of the data as the fit takes it, on the CPU."""
    return Examples(image_input.features(part.images), torch.from_numpy(part.labels))


def _measure(fitted: Fit, report: LabelledImages) -> tuple[NDArray[np.float32], Metrics]:
    """What the model says of `report`, float32 `[N, C]`, computed in float64, and how good that is.

    The probabilities are the measure of the exported file. The loss is taken from the logits: a model that is sure
    and wrong gives the true label a probability that float32 rounds to 0, whose logarithm is infinite.
    """
    logits = fitted.model.to(dtype=torch.float64).logits(image_input.features(report.images, torch.float64))
    probabilities = softmax(logits).float().numpy()
    loss = cross_entropy(logits, torch.from_numpy(report.labels)).item()
    return probabilities, Metrics(size=len(report), accuracy=accuracy(probabilities, report.labels), nll=loss)


def _manifest(
    job: Job,
    dataset: Dataset,
    splits: Splits,
    fitted: Fit,
    metrics: Metrics,
    golden: GoldenVectors,
    device: torch.device,
) -> Manifest:
    source = provenance.revision(Path(__file__).parent)
    return Manifest(
        name=dataset.name,
        labels=list(dataset.classes),
        input=image_input.describe(splits.train.images),
        temperature=1.0,
        default_policy=NeverAbstainPolicy(),
        training=Training(
            recipe=job.recipe,
            seed=job.seed,
            device="cuda" if device.type == "cuda" else "cpu",
            best_epoch=fitted.best_epoch,
            **dataclasses.asdict(job.settings),
        ),
        data=splits.describe(dataset),
        metrics=metrics,
        versions=provenance.library_versions(),
        git_revision=source.name if source else None,
        created_at=provenance.created_at(source),
        golden=golden,
    )


def _golden(report: LabelledImages, probabilities: NDArray[np.float32]) -> GoldenVectors:
    """The first report image of each class that is there."""
    _, first = np.unique(report.labels, return_index=True)
    return GoldenVectors(
        inputs=base64.b64encode(report.images[first].tobytes()).decode(),
        probabilities=probabilities[first].tolist(),
        tolerance=GOLDEN_TOLERANCE,
    )
