"""The training job: data -> fit -> temperature -> certificates -> proof -> publication, a module each."""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from service.certificates import Abstention
from service.classifier import Classifier
from service.manifest import Manifest, Training
from service.policy import Policy
from training import manifest
from training.abstention.certify import certify, check_size
from training.abstention.principal_components import PrincipalComponents
from training.abstention.reference import reference
from training.abstention.scored import score
from training.abstention.settings import AbstentionSettings
from training.abstention.temperature import fit_temperature
from training.checkpoint import Checkpoint, identity
from training.data import Labelled, LabelledData
from training.data.splits import Splits, split
from training.errors import GateError, TrainingError
from training.evaluation.operating_points import measure, policies
from training.evaluation.quality import measure_quality
from training.examples import Examples, Levels, Source
from training.export import to_onnx
from training.fit import Epoch, Fit, fit
from training.inputs import Encoder, encoder_for
from training.inputs.encoded import Encoded
from training.model import Model
from training.publish import Expected, check_place, load_draft, prove_export, publish
from training.recipes import FitSettings, Recipe
from training.regression import SoftmaxRegression
from training.streaming import StreamedExamples
from training.workers import ALONE, Workers

Device = Literal["auto", "cpu", "cuda"]

_CPU = torch.device("cpu")
_LARGEST_IN_MEMORY = 2**25  # features of one part of a memory map, 128 MB in float32
_MOST_FOR_COMPONENTS = 50_000  # examples; more would move the components by nothing that matters
_LARGEST_FOR_COMPONENTS = 2**26  # features of those, 256 MB


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
    checkpoint: Path | None = None  # a file, written after every epoch


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


def run(
    job: Job, dataset: LabelledData, on_epoch: Callable[[Epoch], None] | None = None, workers: Workers = ALONE
) -> Outcome:
    """Train, certify, prove and publish. Raises TrainingError, and then nothing was published.

    Of several `workers` the first does this, while the others `assist`.
    """
    device = find_device(job.device, workers)
    check_place(job.out)
    if job.checkpoint is not None:
        check_place(job.checkpoint)
    splits = split(dataset, job.recipe, job.seed)
    if splits.calibration is not None:
        check_size(len(splits.tune), job.abstention)
    encoder, fitted, seconds = _fit(job, dataset, splits, device, workers, on_epoch)
    regression = fitted.model.to(_CPU, torch.float32)
    temperature = _temperature(regression, encoder, splits)
    metrics = measure_quality(_logits(regression, encoder, splits.report), splits.report.labels, temperature)
    if job.min_accuracy is not None and metrics.accuracy < job.min_accuracy:
        raise GateError(
            f"accuracy {metrics.accuracy:.4f} on the report split is under "
            f"--min-accuracy {job.min_accuracy:g}: nothing was published"
        )
    model = Model(encoder, regression, temperature, _components(encoder, splits.train))
    expected = _expected(model, splits.report)
    stated = manifest.draft(dataset, splits, _training(job, fitted, device, workers), model, metrics, expected)
    if splits.calibration is not None:
        stated = _certified(model, stated, splits.tune, splits.calibration, splits.report, job.abstention)
    classifier, difference = publish(
        to_onnx(model, stated),
        job.out,
        lambda draft: prove_export(draft, splits.report.blocks(), expected),
    )
    return Outcome(classifier, splits, fitted, seconds, difference)


def assist(job: Job, dataset: LabelledData, workers: Workers) -> None:
    """Do this process's share of the fit, and nothing after it. Raises TrainingError."""
    _fit(job, dataset, split(dataset, job.recipe, job.seed), find_device(job.device, workers), workers)


def examples(
    part: Labelled, encoder: Encoder, device: torch.device = _CPU, dtype: torch.dtype = torch.float32
) -> Source:
    """One part of the data as the fit takes it: in memory, or from its file where that is a large memory map."""
    if isinstance(part.base, np.memmap) and len(part) * encoder.width > _LARGEST_IN_MEMORY:
        return StreamedExamples(part, encoder, device, dtype)
    labels = torch.from_numpy(part.labels)
    if encoder.full_scale is not None:
        levels = torch.tensor(part.inputs.reshape(len(part), -1))
        return Examples(levels, labels, Levels(encoder.full_scale, dtype)).to(device)
    return Examples(_features(encoder, part, dtype), labels).to(device)


def _features(encoder: Encoder, part: Labelled, dtype: torch.dtype) -> torch.Tensor:
    """`[N, D]`, on the CPU."""
    features = torch.empty(len(part), encoder.width, dtype=dtype)
    start = 0
    for block in Encoded(part, encoder, dtype):
        features[start : start + len(block)] = block
        start += len(block)
    return features


def find_device(asked: Device, workers: Workers = ALONE) -> torch.device:
    """Where to compute. Raises TrainingError where there is no such device."""
    if asked == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device cuda: torch finds no CUDA device on this machine")
    return torch.device("cuda", workers.local_rank) if asked != "cpu" and torch.cuda.is_available() else _CPU


def _fit(
    job: Job,
    dataset: LabelledData,
    splits: Splits,
    device: torch.device,
    workers: Workers,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> tuple[Encoder, Fit, float]:
    """The encoder, the fit, and the seconds that the fit took; the same in all `workers`."""
    what = identity(dataset, splits, job.recipe, job.seed, job.settings)
    workers.require_same(what | {"device": device.type})
    checkpoint = None if job.checkpoint is None else Checkpoint(job.checkpoint, what)
    start_state = workers.of_first(lambda: None if checkpoint is None else checkpoint.load())
    encoder = workers.of_first(lambda: encoder_for(dataset.input, splits.train))
    dtype = getattr(torch, job.settings.precision)
    train, tune = (examples(part, encoder, device, dtype) for part in (splits.train, splits.tune))
    start = time.perf_counter()
    fitted = fit(
        train,
        tune,
        len(dataset.classes),
        job.settings,
        torch.Generator().manual_seed(job.seed),
        on_epoch,
        workers=workers,
        start=start_state,
        on_state=checkpoint.save if checkpoint is not None and workers.leads else None,
    )
    return encoder, fitted, time.perf_counter() - start


def _training(job: Job, fitted: Fit, device: torch.device, workers: Workers) -> Training:
    return Training(
        recipe=job.recipe,
        seed=job.seed,
        device="cuda" if device.type == "cuda" else "cpu",
        processes=workers.size,
        best_epoch=fitted.best_epoch,
        **dataclasses.asdict(job.settings),
    )


def _logits(regression: SoftmaxRegression, encoder: Encoder, part: Labelled) -> torch.Tensor:
    """In float64 `[N, C]`, without a temperature."""
    wide = regression.to(dtype=torch.float64)
    return torch.cat([wide.logits(encoder.features(block, torch.float64)) for block in part.blocks()])


def _temperature(regression: SoftmaxRegression, encoder: Encoder, splits: Splits) -> float:
    """1 for the chapter's recipe: its tune split is the test images, which may not choose one."""
    if splits.calibration is None:
        return 1.0
    return fit_temperature(_logits(regression, encoder, splits.tune), splits.tune.labels)


def _components(encoder: Encoder, train: Labelled) -> PrincipalComponents:
    """Of the first training examples, as many as fit into memory: their order is a draw."""
    count = max(2, min(_MOST_FOR_COMPONENTS, _LARGEST_FOR_COMPONENTS // encoder.width))
    sample = train.take(np.arange(min(count, len(train))))
    return PrincipalComponents.of(Encoded(sample, encoder))


def _expected(model: Model, report: Labelled) -> Expected:
    """What the exported file must say of `report`."""
    blocks = [(model.probabilities(block), model.ood_score(block)) for block in report.blocks()]
    return Expected(*(np.concatenate(column) for column in zip(*blocks, strict=True)))


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
    calibrated = score(classifier, calibration)
    abstention = certify(score(classifier, tune), calibrated, model.components, settings)
    reported = score(classifier, report)
    points = [measure(reported, policy, abstention) for policy in policies(abstention)]
    seen = reference("calibration", calibrated.fingerprint, calibrated.scores)
    return manifest.certified(draft, abstention, seen, _default_policy(abstention, settings), points)


def _default_policy(abstention: Abstention, settings: AbstentionSettings) -> Policy:
    wanted = settings.default_risk
    return next(c.policy() for c in abstention.selective_risk if c.selective_risk == wanted)
