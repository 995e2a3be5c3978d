"""Fits with soft labels on Fashion-MNIST: one-hot, smoothed, or from a teacher."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from exercises.soft_labels import distilled, smoothed
from training.certification.temperature import fit_temperature
from training.data.encoders import encoder_for
from training.data.opening import load
from training.data.splits import split
from training.fitting.examples import Examples, Source
from training.fitting.fit import fit
from training.fitting.recipes import TUNED, for_size
from training.fitting.regression import SoftmaxRegression
from training.fitting.source import examples
from training.reporting.evaluation.quality import measure_quality

TEACHER_FEATURES = 1024
TEACHER_EPOCHS = 8
SMOOTHING = 0.1
SOFTER = 2.0  # a temperature of the teacher

Result = dict[str, float]


@dataclass(frozen=True, slots=True)
class Parts:
    """The splits of seed 0, in memory."""

    train: Examples
    tune: Examples
    report: Examples
    classes: int


def parts(data_dir: Path | None) -> Parts:
    """Read them."""
    dataset = load(None, data_dir, lambda _: None)
    splits = split(dataset, "tuned", 0)
    encoder = encoder_for(dataset.input, splits.train)
    train, tune, report = (_in_memory(examples(part, encoder)) for part in (splits.train, splits.tune, splits.report))
    return Parts(train, tune, report, len(dataset.classes))


def teacher(data: Parts) -> tuple[Tensor, Result]:
    """The teacher's logits of the training images, `[N, C]`, and its quality.

    It is a softmax regression on random features, max(0, Wx + b) (Rahimi and Recht 2007): not linear in the pixels, and
    fitted by the same code.
    """
    rng = np.random.default_rng(0)
    width, mean = data.train.width, data.train.features.mean(dim=0)
    weights = torch.from_numpy(rng.normal(0, 3 / np.sqrt(width), (width, TEACHER_FEATURES))).float()
    biases = torch.from_numpy(rng.uniform(-1, 1, TEACHER_FEATURES)).float()

    def wide(part: Examples) -> Examples:
        return Examples(torch.relu((part.features - mean) @ weights + biases), part.labels)

    train, tune, report = wide(data.train), wide(data.tune), wide(data.report)
    settings = replace(TUNED, epochs=TEACHER_EPOCHS)
    model = fit(train, tune, data.classes, settings, torch.Generator().manual_seed(0)).model
    return model.logits(train.features), _quality(model, tune, report)


def soft_labels(kind: str, labels: Tensor, classes: int, taught: Tensor | None) -> Tensor:
    """The labels of one kind; `taught` are the teacher's logits of the same examples."""
    if kind == "one_hot":
        return labels
    if kind == "smoothed":
        return smoothed(labels, classes, SMOOTHING)
    assert taught is not None
    return distilled(taught, {"distilled": 1.0, "distilled_softer": SOFTER}[kind])


def student(data: Parts, kind: str, size: int, seed: int, taught: Tensor | None) -> Result:
    """A fit on `size` training images, other ones for each seed if there are enough."""
    start = seed * size if (seed + 1) * size <= len(data.train) else 0
    rows = slice(start, start + size)
    labels = soft_labels(kind, data.train.labels[rows], data.classes, None if taught is None else taught[rows])
    train = Examples(data.train.features[rows], labels)
    generator = torch.Generator().manual_seed(seed)
    fitted = fit(train, data.tune, data.classes, for_size(TUNED, size), generator)
    return _quality(fitted.model, data.tune, data.report)


def _quality(model: SoftmaxRegression, tune: Examples, report: Examples) -> Result:
    """Quality on the report split, before and after a temperature from the tune split."""
    wide = model.to(dtype=torch.float64)
    temperature = fit_temperature(wide.logits(tune.features.double()), tune.labels.numpy())
    quality = measure_quality(wide.logits(report.features.double()), report.labels.numpy(), temperature)
    return {
        "accuracy": quality.accuracy,
        "nll": quality.before_temperature.nll,
        "ece": quality.before_temperature.ece,
        "temperature": temperature,
        "nll_after": quality.nll,
        "ece_after": quality.ece,
    }


def _in_memory(source: Source) -> Examples:
    assert isinstance(source, Examples)  # Fashion-MNIST is small
    return source
