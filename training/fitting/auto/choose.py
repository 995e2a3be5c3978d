"""The recipe `auto`: settings chosen on data that the fits have not seen, and where there are many rows, their fit."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from training.data.dataset import Labelled
from training.data.encoders import Encoder
from training.data.encoders.images import ImageEncoder
from training.fitting.auto.few_rows import FewRows, Rows, folds
from training.fitting.auto.many_rows import ManyRows
from training.fitting.auto.search import Search
from training.fitting.auto.trials import Trial
from training.fitting.fit import Fit
from training.fitting.recipes import FitSettings, full_batch
from training.fitting.shifted import moved_to_sides, picture_of
from training.fitting.source import examples

FEW = 1000  # rows of tune; the standard error of a loss on more is small
_MAX_NUMBERS = 2**23  # of the features of few rows
_SAMPLE = 50_000  # rows of train that a choice is made on


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen settings, and the evidence."""

    settings: FitSettings
    chosen: Trial
    trials: list[Trial]  # in the order of time
    variance: float  # mean over the features: a trial's weight decay times this is that of the settings
    method: Literal["cross-validation", "tune"]
    rows: int  # that the losses are of
    temperature: float | None  # by cross-validation
    fit: Fit | None  # of the settings on all of train, where it is at hand


def choose(
    encoder: Encoder,
    train: Labelled,
    tune: Labelled,
    search: Search,
    device: torch.device,
    dtype: torch.dtype,
) -> Choice:
    """Choose on `tune`, or for few rows on both splits by cross-validation."""
    rows = len(train) + len(tune)
    if len(tune) < FEW and rows * encoder.width <= _MAX_NUMBERS:
        return _by_cross_validation(encoder, train, tune, search, dtype)
    sample = train if len(train) <= _SAMPLE else train.take(np.arange(_SAMPLE))
    many = ManyRows(examples(sample, encoder, device, dtype), examples(tune, encoder, device, dtype), search)
    found = many.choose()
    fit = found.fit if sample is train else None
    return Choice(found.settings, found.chosen, found.trials, search.variance, "tune", len(tune), None, fit)


def _by_cross_validation(
    encoder: Encoder, train: Labelled, tune: Labelled, search: Search, dtype: torch.dtype
) -> Choice:
    features = torch.cat([encoder.features(part.inputs, dtype) for part in (train, tune)])
    labels = torch.from_numpy(np.concatenate([train.labels, tune.labels]))
    groups = None
    if train.groups is not None and tune.groups is not None:
        groups = np.concatenate([train.groups, tune.groups])
    moved = None
    if isinstance(encoder, ImageEncoder) and "shift" in search.augments:
        moved = torch.cat(list(moved_to_sides(features, picture_of(encoder.kind))))
    rows = Rows(features, labels, folds(len(labels), groups, search.seed), search.classes, moved)
    chosen, trials = FewRows(rows, search).choose()
    decay = float(f"{chosen.weight_decay * search.variance:.3g}")
    settings = full_batch(len(train), decay, chosen.lift, chosen.augment)
    return Choice(settings, chosen, trials, search.variance, "cross-validation", len(labels), chosen.temperature, None)
