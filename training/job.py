"""The training job: data, fit, and release, which certifies, proves and publishes."""

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path

import torch

from service.contract.files import check_place
from service.contract.manifest import Manifest
from service.contract.training import Selection, Training, Tried
from service.inference.classifier import Classifier
from training.certification.scored import Scored
from training.certification.settings import AbstentionSettings
from training.certification.temperature import MAX_TEMPERATURE
from training.data.dataset import LabelledData
from training.data.options import Recipe
from training.data.splits import Splits, split
from training.errors import DivergedError
from training.fitting.auto.choose import Choice
from training.fitting.fit import Fit
from training.fitting.fit_splits import FittedSplits, Listener, Task, fit_splits
from training.fitting.recipes import FitSettings, Given
from training.fitting.workers import ALONE, Device, Workers, find_device
from training.publishing.release import FittedModel, ReleaseOptions, TuneScores, release, score_tune

_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Job:
    """What to train, what to certify, and where to publish."""

    recipe: Recipe
    settings: FitSettings  # of the recipe `auto`, only the precision counts
    seed: int
    device: Device
    out: Path
    min_accuracy: float | None = None
    abstention: AbstentionSettings = field(default_factory=AbstentionSettings)
    checkpoint: Path | None = None  # a file, written after every epoch
    given: Given = field(default_factory=Given)  # what the recipe `auto` does not choose

    def task(self, dataset: LabelledData, splits: Splits) -> Task:
        """The fit."""
        return Task(dataset, splits, self.recipe, self.settings, self.seed, self.checkpoint, self.given)


@dataclass(frozen=True, slots=True)
class JobResult:
    """A published model, and the fit behind it."""

    classifier: Classifier  # the published file, proved
    report: Scored  # the file's own scores of the report split
    splits: Splits
    fit: Fit
    choice: Choice | None  # of the recipe `auto`
    seconds: float  # of the choice and the fit
    difference: float  # largest difference in a probability between torch and the file

    @property
    def manifest(self) -> Manifest:
        """The manifest of the file."""
        return self.classifier.manifest

    @property
    def version(self) -> str:
        """The version of the file."""
        return self.classifier.version


def run(job: Job, dataset: LabelledData, listener: Listener | None = None, workers: Workers = ALONE) -> JobResult:
    """Train, certify, prove and publish. Raises TrainingError, and then nothing was published.

    With several `workers` the first one calls this, and the others call `assist`.
    """
    device = find_device(job.device, workers)
    splits = split(dataset, job.recipe, job.seed)
    options = ReleaseOptions(job.out, job.abstention, job.min_accuracy)
    options.check()
    if job.checkpoint is not None:
        check_place(job.checkpoint)
    fitted = fit_splits(job.task(dataset, splits), device, listener, workers)
    released = release(_fitted_model(job, dataset, fitted, device, workers), dataset, splits, options)
    return JobResult(
        released.classifier,
        released.report,
        splits,
        fitted.fit,
        fitted.choice,
        fitted.seconds,
        released.difference,
    )


def dry_run(job: Job, dataset: LabelledData, listener: Listener | None = None) -> TuneScores:
    """Train, and score the tune split. The calibration and report splits stay unseen, and nothing is written."""
    device, splits = find_device(job.device), split(dataset, job.recipe, job.seed)
    fitted = fit_splits(job.task(dataset, splits), device, listener)
    return score_tune(_fitted_model(job, dataset, fitted, device, ALONE), splits)


def assist(job: Job, dataset: LabelledData, workers: Workers) -> None:
    """Do this process's share of the fit, and nothing else. Raises TrainingError."""
    task = job.task(dataset, split(dataset, job.recipe, job.seed))
    fit_splits(task, find_device(job.device, workers), workers=workers)


def _fitted_model(
    job: Job, dataset: LabelledData, fitted: FittedSplits, device: torch.device, workers: Workers
) -> FittedModel:
    """The fit as `release` takes it. Raises DivergedError where it is no better than guessing."""
    _require_better_than_guessing(fitted.fit, len(dataset.classes), fitted.settings)
    regression = fitted.fit.model.to(_CPU, torch.float32)
    temperature = None if fitted.choice is None else fitted.choice.temperature
    training = _training(job, fitted, device, workers)
    return FittedModel(fitted.encoder, regression, training, fitted.axes, temperature)


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


def _training(job: Job, fitted: FittedSplits, device: torch.device, workers: Workers) -> Training:
    return Training(
        recipe=job.recipe,
        seed=job.seed,
        device="cuda" if device.type == "cuda" else "cpu",
        processes=workers.size,
        best_epoch=fitted.fit.best_epoch,
        selection=None if fitted.choice is None else _selection(fitted.choice),
        **dataclasses.asdict(fitted.settings),
    )


def _selection(choice: Choice) -> Selection:
    return Selection(
        method=choice.method,
        rows=choice.rows,
        tried=[
            Tried(
                lift=trial.lift,
                augment=trial.augment,
                short=trial.short,
                weight_decay=float(f"{trial.weight_decay * choice.variance:.3g}"),
                loss=trial.loss if math.isfinite(trial.loss) else None,
                edge=trial.edge,
                standard_error=None if trial is choice.chosen else trial.standard_error(choice.chosen),
            )
            for trial in choice.trials
        ],
        chosen=next(i for i, trial in enumerate(choice.trials) if trial is choice.chosen),
    )
