"""The training job: data -> fit -> temperature -> certificates -> proof -> publication, a module each."""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from service.certificates import Abstention
from service.classifier import Classifier
from service.decision import selective_risk_policy
from service.manifest import Manifest, Training
from service.policy import Policy
from training import manifest
from training.abstention.certify import certify
from training.abstention.principal_components import PrincipalComponents
from training.abstention.scored import score
from training.abstention.settings import AbstentionSettings
from training.abstention.temperature import fit_temperature
from training.data import Dataset, Labelled
from training.data.splits import Splits, split
from training.errors import GateError, TrainingError
from training.evaluation.operating_points import measure, policies
from training.evaluation.quality import measure_quality
from training.export import to_onnx
from training.fit import Epoch, Examples, Fit, fit
from training.inputs import Encoder, encoder_for
from training.model import Model
from training.publish import Expected, check_place, load_draft, prove_export, publish
from training.recipes import FitSettings, Recipe
from training.regression import SoftmaxRegression

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Job:
    """What to train, what to certify, and where to publish it."""

    recipe: Recipe
    settings: FitSettings
    seed: int
    device: Device
    out: Path
    min_accuracy: float | None = None
    abstention: AbstentionSettings = field(default_factory=AbstentionSettings)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A published model, and how it came about."""

    classifier: Classifier  # the published file, proved
    splits: Splits
    fit: Fit
    seconds: float  # of the fit alone
    difference: float  # largest difference in a probability between torch and the file

    @property
    def manifest(self) -> Manifest:
        """What the file says of itself."""
        return self.classifier.manifest

    @property
    def version(self) -> str:
        """The file's version."""
        return self.classifier.version


def run(job: Job, dataset: Dataset, on_epoch: Callable[[Epoch], None] | None = None) -> Outcome:
    """Train, certify, prove and publish. Raises TrainingError, and then nothing was published."""
    device = _device(job.device)
    check_place(job.out)
    splits = split(dataset, job.recipe, job.seed)
    encoder = encoder_for(dataset.input, splits.train)
    fitted, seconds = _fit(job, splits, encoder, len(dataset.classes), device, on_epoch)
    regression = fitted.model.to(torch.device("cpu"))
    temperature = _temperature(regression, encoder, splits)
    metrics = measure_quality(_logits(regression, encoder, splits.report), splits.report.labels, temperature)
    if job.min_accuracy is not None and metrics.accuracy < job.min_accuracy:
        raise GateError(
            f"accuracy {metrics.accuracy:.4f} on the report split is under "
            f"--min-accuracy {job.min_accuracy:g}: nothing was published"
        )
    model = Model(encoder, regression, temperature, PrincipalComponents.of(encoder.features(splits.train.inputs)))
    expected = Expected(model.probabilities(splits.report.inputs), model.ood_score(splits.report.inputs))
    stated = manifest.draft(dataset, splits, _training(job, fitted, device), model, metrics, expected)
    if splits.calibration is not None:
        stated = _certified(model, stated, splits.tune, splits.calibration, splits.report, job.abstention)
    classifier, difference = publish(
        to_onnx(model, stated),
        job.out,
        lambda draft: prove_export(draft, splits.report.inputs, expected),
    )
    return Outcome(classifier, splits, fitted, seconds, difference)


def examples(part: Labelled, encoder: Encoder) -> Examples:
    """One part of the data as the fit takes it, on the CPU."""
    return Examples(encoder.features(part.inputs), torch.from_numpy(part.labels))


def _device(asked: Device) -> torch.device:
    if asked == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device cuda: torch finds no CUDA device on this machine")
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")


def _fit(
    job: Job,
    splits: Splits,
    encoder: Encoder,
    classes: int,
    device: torch.device,
    on_epoch: Callable[[Epoch], None] | None,
) -> tuple[Fit, float]:
    """The fit, and the seconds that it took."""
    train, tune = (examples(part, encoder).to(device) for part in (splits.train, splits.tune))
    generator = torch.Generator().manual_seed(job.seed)
    start = time.perf_counter()
    fitted = fit(train, tune, classes, job.settings, generator, on_epoch)
    return fitted, time.perf_counter() - start


def _training(job: Job, fitted: Fit, device: torch.device) -> Training:
    return Training(
        recipe=job.recipe,
        seed=job.seed,
        device="cuda" if device.type == "cuda" else "cpu",
        best_epoch=fitted.best_epoch,
        **dataclasses.asdict(job.settings),
    )


def _logits(regression: SoftmaxRegression, encoder: Encoder, part: Labelled) -> torch.Tensor:
    """In float64 `[N, C]`, without a temperature."""
    return regression.to(dtype=torch.float64).logits(encoder.features(part.inputs, torch.float64))


def _temperature(regression: SoftmaxRegression, encoder: Encoder, splits: Splits) -> float:
    """1 for the chapter's recipe: its tune split is the test images, which may not choose one."""
    if splits.calibration is None:
        return 1.0
    return fit_temperature(_logits(regression, encoder, splits.tune), splits.tune.labels)


def _certified(
    model: Model,
    draft: Manifest,
    tune: Labelled,
    calibration: Labelled,
    report: Labelled,
    settings: AbstentionSettings,
) -> Manifest:
    """The draft with its certificates, made from the scores of the exported file itself.

    They are kept in the metadata, so the graph that is scored here is the graph that is published.
    """
    classifier = load_draft(to_onnx(model, draft))
    abstention = certify(score(classifier, tune), score(classifier, calibration), model.components, settings)
    reported = score(classifier, report)
    points = [measure(reported, policy, abstention) for policy in policies(abstention)]
    return manifest.certified(draft, abstention, _default_policy(abstention, settings), points)


def _default_policy(abstention: Abstention, settings: AbstentionSettings) -> Policy:
    wanted = settings.default_risk
    return next(selective_risk_policy(c) for c in abstention.selective_risk if c.selective_risk == wanted)
