"""The training job: data, fit, and release, which certifies, proves and publishes."""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from service.contract.files import check_place
from service.contract.manifest import Manifest, Training
from service.inference.classifier import Classifier
from training.certification.principal_components import PrincipalAxes
from training.certification.scored import Scored
from training.certification.settings import AbstentionSettings
from training.certification.temperature import MAX_TEMPERATURE
from training.data.dataset import LabelledData
from training.data.encoders import Encoder, encoder_for
from training.data.options import Recipe
from training.data.splits import Splits, split
from training.errors import DivergedError
from training.fitting.checkpoint import Checkpoint, identity
from training.fitting.fit import Epoch, Fit, fit
from training.fitting.recipes import FitSettings
from training.fitting.source import examples
from training.fitting.workers import ALONE, Device, Workers, find_device
from training.publishing.release import FittedModel, ReleaseOptions, TuneScores, lift_of, release, score_tune

_CPU = torch.device("cpu")
_NOTHING = (("lift", 0), ("augment", "none"))


@dataclass(frozen=True, slots=True)
class Job:
    """What to train, what to certify, and where to publish."""

    recipe: Recipe
    settings: FitSettings
    seed: int
    device: Device
    out: Path
    min_accuracy: float | None = None
    abstention: AbstentionSettings = field(default_factory=AbstentionSettings)
    checkpoint: Path | None = None  # a file, written after every epoch


@dataclass(frozen=True, slots=True)
class JobResult:
    """A published model, and the fit behind it."""

    classifier: Classifier  # the published file, proved
    report: Scored  # the file's own scores of the report split
    splits: Splits
    fit: Fit
    seconds: float  # of the fit alone
    difference: float  # largest difference in a probability between torch and the file

    @property
    def manifest(self) -> Manifest:
        """The manifest of the file."""
        return self.classifier.manifest

    @property
    def version(self) -> str:
        """The version of the file."""
        return self.classifier.version


def run(
    job: Job, dataset: LabelledData, on_epoch: Callable[[Epoch], None] | None = None, workers: Workers = ALONE
) -> JobResult:
    """Train, certify, prove and publish. Raises TrainingError, and then nothing was published.

    With several `workers` the first one calls this, and the others call `assist`.
    """
    device = find_device(job.device, workers)
    splits = split(dataset, job.recipe, job.seed)
    options = ReleaseOptions(job.out, job.abstention, job.min_accuracy)
    options.check()
    if job.checkpoint is not None:
        check_place(job.checkpoint)
    fitted = _fit(job, dataset, splits, device, workers, on_epoch)
    released = release(_fitted_model(job, dataset, fitted, device, workers), dataset, splits, options)
    return JobResult(released.classifier, released.report, splits, fitted.fit, fitted.seconds, released.difference)


def dry_run(job: Job, dataset: LabelledData, on_epoch: Callable[[Epoch], None] | None = None) -> TuneScores:
    """Train, and score the tune split. The calibration and report splits stay unseen, and nothing is written."""
    device, splits = find_device(job.device), split(dataset, job.recipe, job.seed)
    fitted = _fit(job, dataset, splits, device, ALONE, on_epoch)
    return score_tune(_fitted_model(job, dataset, fitted, device, ALONE), splits)


def assist(job: Job, dataset: LabelledData, workers: Workers) -> None:
    """Do this process's share of the fit, and nothing else. Raises TrainingError."""
    _fit(job, dataset, split(dataset, job.recipe, job.seed), find_device(job.device, workers), workers)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A fit with what it stands on; the same in all workers."""

    encoder: Encoder
    axes: PrincipalAxes | None  # with a lift
    fit: Fit
    seconds: float


def _fit(
    job: Job,
    dataset: LabelledData,
    splits: Splits,
    device: torch.device,
    workers: Workers,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> _Fitted:
    inputs = (dataset, splits, job.recipe, job.seed, job.settings)
    workers.require_same(identity(*inputs) | {"device": device.type})
    encoder = workers.broadcast(lambda: encoder_for(dataset.input, splits.train))
    components = job.settings.lift
    axes, lift = workers.broadcast(lambda: lift_of(encoder, splits.train, components) if components else (None, None))
    checkpoint = None if job.checkpoint is None else Checkpoint(job.checkpoint, identity(*inputs, lift))
    start_state = workers.broadcast(lambda: None if checkpoint is None else checkpoint.load())
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
        lift=lift,
        workers=workers,
        start=start_state,
        on_state=checkpoint.save if checkpoint is not None and workers.leads else None,
    )
    return _Fitted(encoder, axes, fitted, time.perf_counter() - start)


def _fitted_model(
    job: Job, dataset: LabelledData, fitted: _Fitted, device: torch.device, workers: Workers
) -> FittedModel:
    """The fit as `release` takes it. Raises DivergedError where it is no better than guessing."""
    _require_better_than_guessing(fitted.fit, len(dataset.classes), job.settings)
    regression = fitted.fit.model.to(_CPU, torch.float32)
    return FittedModel(fitted.encoder, regression, _training(job, fitted.fit, device, workers), fitted.axes)


def _require_better_than_guessing(fitted: Fit, classes: int, settings: FitSettings) -> None:
    """Raise DivergedError where no temperature makes the probabilities better than equal ones.

    The loss at a temperature T is at least (loss - log C) / T. So a loss over (T + 1) log C stays over log C, the loss
    of equal probabilities; T is at most 100. A far too high learning rate leads to such weights, though every number in
    them is finite.
    """
    kept = next(epoch for epoch in fitted.history if epoch.number == fitted.best_epoch)
    for part, quality in (("train", kept.train), ("tune", kept.tune)):
        if quality.loss > (MAX_TEMPERATURE + 1) * math.log(classes):
            raise DivergedError(
                f"the fit diverged: the kept epoch {kept.number} has a loss of {quality.loss:.4g} on {part}; "
                f"equal probabilities have {math.log(classes):.3g}. "
                f"Try a --learning-rate under {settings.learning_rate:g}."
            )


def _recorded(settings: FitSettings) -> dict[str, Any]:
    """The settings for the manifest, without a lift and an augmentation that there are not."""
    return {name: value for name, value in dataclasses.asdict(settings).items() if (name, value) not in _NOTHING}


def _training(job: Job, fitted: Fit, device: torch.device, workers: Workers) -> Training:
    return Training(
        recipe=job.recipe,
        seed=job.seed,
        device="cuda" if device.type == "cuda" else "cpu",
        processes=workers.size,
        best_epoch=fitted.best_epoch,
        **_recorded(job.settings),
    )
