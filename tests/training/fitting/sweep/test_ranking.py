"""The ranking of the settings, the CSV table and the picture, for made-up runs."""

import csv
import dataclasses
import io
import math
from typing import Any

import numpy as np
import pytest
import torch

from training.fitting.fit import Epoch, Fit, Quality
from training.fitting.recipes import CHAPTER
from training.fitting.regression import SoftmaxRegression
from training.fitting.sweep.ranking import rank
from training.fitting.sweep.runs import Run
from training.fitting.sweep.together import Diverged
from training.reporting.files import SWEEP_COLUMNS, sweep_csv
from training.reporting.pictures.sheet import as_png
from training.reporting.pictures.sweep import draw, swept

MODEL = SoftmaxRegression(torch.zeros(1, 2), torch.zeros(2))
LOW, MIDDLE, HIGH = (dataclasses.replace(CHAPTER, learning_rate=rate) for rate in (0.1, 1.0, 100.0))


def _run(rate: float, seed: int, losses: list[float] | None, best: int = 2) -> Run:
    """A run with these tune losses by epoch; with None it diverged in the second."""
    settings = dataclasses.replace(CHAPTER, learning_rate=rate)
    history = [
        Epoch(n + 1, Quality(loss / 2, 0.9), Quality(loss, 0.8 + n / 100)) for n, loss in enumerate(losses or [])
    ]
    return Run(settings, seed, Diverged(2, history) if losses is None else Fit(MODEL, best, history), 0.25)


RUNS = [
    *[_run(0.1, 0, [2.0, 0.5]), _run(0.1, 1, [2.0, 0.7])],
    *[_run(1.0, 0, [1.0, 0.4]), _run(1.0, 1, None)],
    *[_run(100.0, 0, [0.3, 3.0], best=1), _run(100.0, 1, [0.2, 3.0])],
]


def test_best_has_the_lowest_mean_loss_of_kept_epochs_without_divergence() -> None:
    first, second, third = rank(RUNS)
    assert [one.settings for one in (first, second, third)] == [LOW, HIGH, MIDDLE]
    assert first.loss == pytest.approx(0.6)
    assert first.standard_error == pytest.approx(math.sqrt(0.02) / math.sqrt(2))
    assert first.accuracy == pytest.approx(0.81)
    assert second.losses == (0.3, 3.0)
    assert (third.losses, third.standard_error, third.diverged) == ((0.4,), None, 1)


def test_setting_that_always_diverged_is_last_and_has_no_loss() -> None:
    *_, last = rank([*RUNS, _run(1e9, 0, None), _run(1e9, 1, None)])
    assert (last.diverged, last.loss, last.accuracy) == (2, math.inf, 0.0)


def test_csv_has_one_row_per_run() -> None:
    rows = list(csv.DictReader(io.StringIO(sweep_csv(RUNS))))
    assert list(rows[0]) == SWEEP_COLUMNS
    assert [(row["learning_rate"], row["seed"], row["diverged"], row["epoch"]) for row in rows] == [
        *[("0.1", "0", "false", "2"), ("0.1", "1", "false", "2")],
        *[("1.0", "0", "false", "2"), ("1.0", "1", "true", "2")],
        *[("100.0", "0", "false", "1"), ("100.0", "1", "false", "2")],
    ]
    assert [row["tune_loss"] for row in rows] == ["0.5", "0.7", "0.4", "", "0.3", "3.0"]
    assert (rows[0]["train_loss"], rows[0]["train_accuracy"], rows[0]["tune_accuracy"]) == ("0.25", "0.9", "0.81")
    assert (rows[0]["seconds"], rows[0]["clip_norm"]) == ("0.250", "")


def test_swept_fields_have_several_values_and_the_learning_rate_comes_first() -> None:
    assert swept([LOW, MIDDLE]) == ["learning_rate"]
    assert swept([LOW]) == []
    assert swept([LOW, dataclasses.replace(MIDDLE, epochs=3)]) == ["learning_rate", "epochs"]


@pytest.mark.parametrize("lines", [[], ["epochs"]])
def test_picture_has_labelled_axes_with_units_and_marks_divergence(lines: list[str]) -> None:
    loss, accuracy = draw(rank([*RUNS, _run(1e9, 0, None)]), "learning_rate", lines).axes
    assert loss.get_ylabel() == "cross-entropy on tune (nats)"
    assert accuracy.get_ylabel() == "accuracy on tune (share)"
    assert loss.get_xlabel() == accuracy.get_xlabel() == "learning rate"
    assert (loss.get_xscale(), loss.get_yscale(), accuracy.get_yscale()) == ("log", "log", "linear")
    assert any(np.array_equal(line.get_xdata(), [1e9, 1e9]) for line in loss.lines)
    assert (loss.get_legend() is not None) == bool(lines)


@pytest.mark.parametrize(("field", "values"), [("schedule", ("constant", "cosine")), ("momentum", (0.0, 0.9))])
def test_picture_of_words_and_of_zero_is_drawn(field: str, values: tuple[Any, Any]) -> None:
    runs = [
        dataclasses.replace(run, settings=dataclasses.replace(CHAPTER, **{field: value}))
        for run, value in zip(RUNS[:2], values, strict=True)
    ]
    figure = draw(rank(runs), field, [])
    assert figure.axes[0].get_xscale() == "linear"
    assert as_png(figure).startswith(b"\x89PNG")
