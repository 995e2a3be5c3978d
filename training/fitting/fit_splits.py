"""From splits to a fit: the encoder, the principal axes, the choice of settings where they are open, and the fit."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from service.contract.inputs import ImageInput
from training.data.dataset import LabelledData
from training.data.encoders import Encoder, encoder_for
from training.data.options import Recipe
from training.data.splits import Splits
from training.fitting.auto.choose import Choice, choose
from training.fitting.auto.few_rows import LIFTS as LIFTS_OF_FEW
from training.fitting.auto.many_rows import LIFTS as LIFTS_OF_MANY
from training.fitting.auto.scaling import scaling_for
from training.fitting.auto.search import Search
from training.fitting.auto.trials import Trial
from training.fitting.checkpoint import Checkpoint, identity
from training.fitting.examples import Examples, Source
from training.fitting.fit import Epoch, Fit, fit
from training.fitting.full_batch import fit_full_batch
from training.fitting.lift import QuadraticLift, require_room
from training.fitting.principal_axes import PrincipalAxes, sample
from training.fitting.recipes import Augment, FitSettings, Given
from training.fitting.shifted import Shifted, picture_of, with_moved
from training.fitting.source import examples
from training.fitting.workers import ALONE, Workers

_MOST_LIFTED = max(*LIFTS_OF_FEW, *LIFTS_OF_MANY)


@dataclass(frozen=True, slots=True)
class Task:
    """What is fitted, and how."""

    dataset: LabelledData
    splits: Splits
    recipe: Recipe
    settings: FitSettings  # of `auto`, only the precision counts
    seed: int
    checkpoint: Path | None = None  # a file, written after every epoch
    given: Given = field(default_factory=Given)


@dataclass(frozen=True, slots=True)
class FittedSplits:
    """A fit with what it stands on; the same in all workers."""

    encoder: Encoder
    axes: PrincipalAxes | None  # with a lift
    settings: FitSettings
    choice: Choice | None  # where the recipe is `auto`
    fit: Fit
    seconds: float  # of the choice and the fit


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told how a fit goes."""

    on_start: Callable[[int, Augment], None] = lambda *_: None  # of a trial: its lift and augmentation
    on_trial: Callable[[Trial], None] = lambda _: None
    on_epoch: Callable[[Epoch], None] = lambda _: None


def fit_splits(
    task: Task, device: torch.device, listener: Listener | None = None, workers: Workers = ALONE
) -> FittedSplits:
    """Fit on train, with tune to choose on. All `workers` call this and get the same. Raises TrainingError."""
    listener = listener or Listener()
    require_room(task.settings.lift, len(task.dataset.classes))
    inputs = (task.dataset, task.splits, task.recipe, task.seed)
    workers.require_same(identity(*inputs, task.settings) | {"device": device.type})
    encoder = workers.broadcast(lambda: _encoder(task))
    axes = workers.broadcast(lambda: _axes(task, encoder))
    start = time.perf_counter()
    choice = workers.broadcast(lambda: _choice(task, encoder, axes, device, listener))
    settings = task.settings if choice is None else choice.settings
    lift = workers.broadcast(lambda: _lift(task, encoder, axes, settings.lift))
    checkpoint = None if task.checkpoint is None else Checkpoint(task.checkpoint, identity(*inputs, settings, lift))
    fitted = None if choice is None or checkpoint is not None or workers.size > 1 else choice.fit
    if fitted is None:
        fitted = _fit(task, encoder, lift, settings, device, listener, workers, checkpoint)
    kept = None if lift is None or axes is None else axes.leading(max(lift.components, axes.of_gate))
    return FittedSplits(encoder, kept, settings, choice, fitted, time.perf_counter() - start)


def _encoder(task: Task) -> Encoder:
    """The encoder, with the scaling that the recipe `auto` chooses."""
    kind, train = task.dataset.input, task.splits.train
    if task.recipe != "auto":
        return encoder_for(kind, train)
    return encoder_for(kind, train, scaling_for(kind, train, len(task.dataset.classes), task.seed))


def _axes(task: Task, encoder: Encoder) -> PrincipalAxes | None:
    """The principal axes for the lift that is given, or for all that are tried."""
    components = task.settings.lift
    if task.recipe == "auto":
        components = _MOST_LIFTED if task.given.lift is None else task.given.lift
    elif not components:
        return None
    return PrincipalAxes.fit(sample(encoder, task.splits.train), encoder.full_scale, components)


def _lift(task: Task, encoder: Encoder, axes: PrincipalAxes | None, components: int) -> QuadraticLift | None:
    if axes is None or not components:
        return None
    return QuadraticLift.of(axes, sample(encoder, task.splits.train), components)


def _choice(
    task: Task, encoder: Encoder, axes: PrincipalAxes | None, device: torch.device, listener: Listener
) -> Choice | None:
    if task.recipe != "auto" or axes is None:
        return None
    kind, given = task.dataset.input, task.given
    variance = axes.total_variance / encoder.width or 1.0
    blocks = sample(encoder, task.splits.train)
    search = Search(
        classes=len(task.dataset.classes),
        seed=task.seed,
        variance=variance,
        make_lift=lambda components: QuadraticLift.of(axes, blocks, components),
        picture=picture_of(kind) if isinstance(kind, ImageInput) or given.augment == "shift" else None,
        weight_decay=None if given.weight_decay is None else given.weight_decay / variance,
        lift=given.lift,
        augment=given.augment,
        on_start=listener.on_start,
        on_trial=listener.on_trial,
        on_epoch=listener.on_epoch,
    )
    dtype = getattr(torch, task.settings.precision)
    choice = choose(encoder, task.splits.train, task.splits.tune, search, device, dtype)
    settings = replace(choice.settings, precision=task.settings.precision)
    if given.weight_decay is not None:
        settings = replace(settings, weight_decay=given.weight_decay)
    return replace(choice, settings=settings)


def _fit(
    task: Task,
    encoder: Encoder,
    lift: QuadraticLift | None,
    settings: FitSettings,
    device: torch.device,
    listener: Listener,
    workers: Workers,
    checkpoint: Checkpoint | None,
) -> Fit:
    start_state = workers.broadcast(lambda: None if checkpoint is None else checkpoint.load())
    dtype = getattr(torch, settings.precision)
    train, tune = (examples(part, encoder, device, dtype) for part in (task.splits.train, task.splits.tune))
    classes = len(task.dataset.classes)
    if settings.augment == "shift":
        train = _moved(train, task, settings)
    if settings.optimizer == "lbfgs":
        return fit_full_batch(train, tune, classes, settings, listener.on_epoch, lift=lift, workers=workers)
    return fit(
        train,
        tune,
        classes,
        settings,
        torch.Generator().manual_seed(task.seed),
        listener.on_epoch,
        lift=lift,
        workers=workers,
        start=start_state,
        on_state=checkpoint.save if checkpoint is not None and workers.leads else None,
    )


def _moved(train: Source, task: Task, settings: FitSettings) -> Source:
    picture = picture_of(task.dataset.input)
    if settings.optimizer == "lbfgs" and isinstance(train, Examples):
        return with_moved(train, picture)
    return Shifted(train, picture)
