"""The training job: data -> fit -> temperature -> certificates -> proof -> publication, a module each."""

import base64
import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from service.certificates import Abstention
from service.classifier import Classifier
from service.decision import selective_risk_policy
from service.manifest import GoldenVectors, Manifest, Metrics, OperatingPoint, ProbabilityQuality, Training
from service.policy import NeverAbstainPolicy, Policy
from training import image_input, metrics, provenance
from training.abstention.certify import certify
from training.abstention.principal_components import PrincipalComponents
from training.abstention.scored import score
from training.abstention.settings import AbstentionSettings
from training.abstention.temperature import fit_temperature
from training.data import Dataset, LabelledImages
from training.data.splits import Splits, split
from training.errors import GateError, TrainingError
from training.evaluation.operating_points import measure, policies
from training.export import to_onnx
from training.fit import Examples, Fit, fit
from training.model import Model
from training.publish import Expected, check_place, load_draft, prove_export, publish
from training.recipes import FitSettings, Recipe
from training.report.progress import Progress
from training.softmax import cross_entropy, softmax

GOLDEN_TOLERANCE = 1e-6  # of another processor's kernels
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


def run(job: Job, dataset: Dataset, progress: Progress | None = None) -> Outcome:
    """Train, certify, prove and publish. Raises TrainingError, and then nothing was published."""
    device = _device(job.device)
    check_place(job.out)
    splits = split(dataset, job.recipe, job.seed)
    fitted, seconds = _fit(job, splits, len(dataset.classes), device, progress)
    model = _complete(fitted, splits)
    quality = _measure(model, splits.report)
    if job.min_accuracy is not None and quality.accuracy < job.min_accuracy:
        raise GateError(
            f"accuracy {quality.accuracy:.4f} on the report split is under "
            f"--min-accuracy {job.min_accuracy:g}: nothing was published"
        )
    expected = _expected(model, splits.report)
    manifest = _manifest(job, dataset, splits, fitted, model, quality, _golden(splits.report, expected), device)
    if splits.calibration is not None:
        manifest = _certified(job, splits, model, manifest)
    classifier, difference = publish(
        to_onnx(model, manifest),
        job.out,
        lambda draft: prove_export(draft, splits.report.images, expected),
    )
    return Outcome(classifier, splits, fitted, seconds, difference)


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


def _complete(fitted: Fit, splits: Splits) -> Model:
    """The fit with its temperature and with what `train` looks like.

    The chapter's recipe has no temperature, and its tune split, the test images, may not give it one.
    """
    model = Model(fitted.model, 1.0, PrincipalComponents.of(image_input.features(splits.train.images)))
    if splits.calibration is None:
        return model
    logits = model.logits(_features(splits.tune))
    return dataclasses.replace(model, temperature=fit_temperature(logits, splits.tune.labels))


def _features(part: LabelledImages) -> torch.Tensor:
    return image_input.features(part.images, torch.float64)


def _expected(model: Model, report: LabelledImages) -> Expected:
    """What the exported file must say of `report`."""
    features = _features(report)
    return Expected(model.probabilities(features), model.ood_score(features))


def _measure(model: Model, report: LabelledImages) -> Metrics:
    """How good the model is on `report`, in float64, with its temperature and without."""
    logits = model.logits(_features(report))
    return Metrics(
        size=len(report),
        accuracy=metrics.accuracy(softmax(logits).numpy(), report.labels),
        before_temperature=_quality(logits, report.labels),
        operating_points=[],
        **dict(_quality(logits / model.temperature, report.labels)),
    )


def _quality(logits: torch.Tensor, labels: NDArray[np.int64]) -> ProbabilityQuality:
    """The loss is taken from the logits: a model that is sure and wrong gives the true label a probability that
    rounds to 0, whose logarithm is infinite.
    """
    probabilities = softmax(logits).numpy()
    return ProbabilityQuality(
        nll=cross_entropy(logits, torch.from_numpy(labels)).item(),
        brier=metrics.brier(probabilities, labels),
        ece=metrics.ece(probabilities, labels),
        adaptive_ece=metrics.adaptive_ece(probabilities, labels),
    )


def _certified(job: Job, splits: Splits, model: Model, draft: Manifest) -> Manifest:
    """The manifest with the certificates, made from the scores of the exported file itself.

    They are kept in the metadata, so the graph that is scored here is the graph that is published.
    """
    assert splits.calibration is not None  # by the caller
    classifier = load_draft(to_onnx(model, draft))
    tune, calibration, report = (score(classifier, part) for part in (splits.tune, splits.calibration, splits.report))
    abstention = certify(tune, calibration, model.components, job.abstention)
    points = [measure(report, policy, abstention) for policy in policies(abstention)]
    return _with_abstention(draft, abstention, _default_policy(abstention, job.abstention), points)


def _default_policy(abstention: Abstention, settings: AbstentionSettings) -> Policy:
    wanted = settings.default_risk
    return next(selective_risk_policy(c) for c in abstention.selective_risk if c.selective_risk == wanted)


def _with_abstention(
    draft: Manifest, abstention: Abstention, default_policy: Policy, points: list[OperatingPoint]
) -> Manifest:
    parts = dict(draft)
    parts |= {"abstention": abstention, "default_policy": default_policy}
    parts["metrics"] = draft.metrics.model_copy(update={"operating_points": points})
    return Manifest(**parts)


def _manifest(
    job: Job,
    dataset: Dataset,
    splits: Splits,
    fitted: Fit,
    model: Model,
    quality: Metrics,
    golden: GoldenVectors,
    device: torch.device,
) -> Manifest:
    source = provenance.revision(Path(__file__).parent)
    return Manifest(
        name=dataset.name,
        labels=list(dataset.classes),
        input=image_input.describe(splits.train.images),
        temperature=model.temperature,
        default_policy=NeverAbstainPolicy(),
        abstention=None,
        training=Training(
            recipe=job.recipe,
            seed=job.seed,
            device="cuda" if device.type == "cuda" else "cpu",
            best_epoch=fitted.best_epoch,
            **dataclasses.asdict(job.settings),
        ),
        data=splits.describe(dataset),
        metrics=quality,
        versions=provenance.library_versions(),
        git_revision=source.name if source else None,
        created_at=provenance.created_at(source),
        golden=golden,
    )


def _golden(report: LabelledImages, expected: Expected) -> GoldenVectors:
    """The first report image of each class that is there."""
    _, first = np.unique(report.labels, return_index=True)
    return GoldenVectors(
        inputs=base64.b64encode(report.images[first].tobytes()).decode(),
        probabilities=expected.probabilities[first].tolist(),
        ood_scores=expected.ood_score[first].tolist(),
        tolerance=GOLDEN_TOLERANCE,
    )
