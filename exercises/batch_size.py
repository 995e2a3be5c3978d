"""Exercise 6: the size of a minibatch, from one example to all of them."""

import dataclasses
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from exercises.curvature import loss_curvature
from exercises.exercise import Findings, Settings
from exercises.gradient_noise import noise_scale
from training.data.dataset import LabelledData
from training.data.encoders import encoder_for
from training.data.opening import load
from training.data.splits import split
from training.fitting.examples import Examples
from training.fitting.fit import Fit, evaluate, fit
from training.fitting.recipes import CHAPTER, FitSettings, combinations
from training.fitting.regression import SoftmaxRegression
from training.fitting.source import examples
from training.fitting.sweep.together import fit_together
from training.reporting.pictures.palette import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION, open_frame

TRAIN = 4**7  # the first examples of the train split, so that every size divides them
SIZES = tuple(4**k for k in range(8))
SEEDS, STEPS = 3, 512
_QUICK_SIZES = (64, 256)
_RATE, _SIZE = CHAPTER.learning_rate, CHAPTER.batch_size
# By factors of two; the rate in proportion to the minibatch is among them for every size.
_RATES = tuple(_RATE * 2.0**k for k in range(-8, 7))
_EFFECT = 0.01  # nats above the minimum loss


def measure(settings: Settings) -> Findings:
    """Fit each size with each rate for as many epochs, and for as many steps; time an epoch of each size."""
    dataset = load(None, settings.data_dir, lambda _: None)
    sizes, seeds = (_QUICK_SIZES, range(1)) if settings.quick else (SIZES, range(SEEDS))
    epochs: dict[str, dict[str, Any]] = {str(size): {} for size in sizes}
    steps: dict[str, Any] = {}
    for seed in seeds:
        train, tune = _parts(dataset, seed)
        for size in sizes:
            epochs[str(size)][str(seed)] = results = _equal_epochs(train, tune, size, seed)
            if settings.quick:
                del results["best"]  # other processors may choose an equally good neighbour
            if seed == 0:
                steps[str(size)] = _equal_steps(train, tune, size)
    train, tune = _parts(dataset, 0)
    values: dict[str, Any] = {
        "examples": {"train": len(train), "tune": len(tune)},
        "epochs": epochs,
        "steps": steps,
        "noise": _noise(train, tune),
    }
    if settings.quick:
        return Findings(values)
    values |= {"steps_each": STEPS, "means": _means(epochs), "effect": _effect(_means(epochs))}
    costs = {"epoch": {str(size): _seconds(train, tune, size) for size in sizes}}
    pictures = {"batch-size-loss": _draw_losses(values), "batch-size-rates": _draw_rates(values, costs)}
    return Findings(values, costs, pictures)


def _parts(dataset: LabelledData, seed: int) -> tuple[Examples, Examples]:
    splits = split(dataset, "tuned", seed)
    encoder = encoder_for(dataset.input, splits.train)
    train, tune = examples(splits.train.take(np.arange(TRAIN)), encoder), examples(splits.tune, encoder)
    assert isinstance(train, Examples)
    assert isinstance(tune, Examples)
    return train, tune


def _equal_epochs(train: Examples, tune: Examples, size: int, seed: int) -> dict[str, Any]:
    """Losses after the chapter's epochs: at its rate, at one in proportion to the size, and at the best rate."""
    grid = combinations(dataclasses.replace(CHAPTER, batch_size=size), {"learning_rate": _RATES})
    results = _fits(train, tune, grid, seed)
    tuned = {one.learning_rate: outcome.history[-1].tune.loss for one, outcome in zip(grid, results, strict=True)}
    by_rate = {one.learning_rate: outcome for one, outcome in zip(grid, results, strict=True)}
    chosen = {"fixed": _RATE, "scaled": _RATE * size / _SIZE, "best": min(tuned, key=lambda rate: tuned[rate])}
    return {name: {"rate": rate, **_losses(by_rate[rate], train, tune)} for name, rate in chosen.items()}


def _equal_steps(train: Examples, tune: Examples, size: int) -> dict[str, float]:
    """Losses after `STEPS` updates with the chapter's rate; if that is under an epoch, one epoch of fewer examples."""
    subset = train.take(torch.arange(min(len(train), STEPS * size)))
    one = dataclasses.replace(CHAPTER, batch_size=size, epochs=max(1, STEPS * size // len(train)))
    return _losses(_fits(subset, tune, [one], 0)[0], train, tune)


def _fits(train: Examples, tune: Examples, grid: Sequence[FitSettings], seed: int) -> list[Fit]:
    classes = int(train.labels.max()) + 1
    outcomes = fit_together(train, tune, classes, grid, torch.Generator().manual_seed(seed))
    fits = [outcome for outcome in outcomes if isinstance(outcome, Fit)]
    assert len(fits) == len(grid), "the losses of these rates are large, but numbers"
    return fits


def _losses(results: Fit, train: Examples, tune: Examples) -> dict[str, float]:
    """Losses of the fitted model; `train` is not the mean over an epoch, in which the model changes."""
    on_train, on_tune = evaluate(results.model, train), evaluate(results.model, tune)
    return {"train": on_train.loss, "tune": on_tune.loss, "accuracy": on_tune.accuracy}


def _noise(train: Examples, tune: Examples) -> dict[str, float]:
    """The noise scale at the start and after the chapter's fit, and the curvature there."""
    classes = int(train.labels.max()) + 1
    initial = SoftmaxRegression.initial(train.width, classes, torch.Generator().manual_seed(0))
    fitted = _fits(train, tune, [CHAPTER], 0)[0].model
    return {
        "initial": noise_scale(initial, train),
        "fitted": noise_scale(fitted, train),
        "edge": 2 / loss_curvature(initial, train.features),
    }


def _means(epochs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Means over the seeds; the geometric mean for the rates."""
    results: dict[str, Any] = {}
    for size, seeds in epochs.items():
        results[size] = {}
        for kind in ("fixed", "scaled", "best"):
            runs = [one[kind] for one in seeds.values()]
            means = {name: statistics.fmean(run[name] for run in runs) for name in ("train", "tune", "accuracy")}
            results[size][kind] = {"rate": statistics.geometric_mean(run["rate"] for run in runs), **means}
    return results


def _effect(means: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes whose tune loss with the fixed rate is near the minimum, and the smallest and largest of them."""
    losses = {int(size): kinds["fixed"]["tune"] for size, kinds in means.items()}
    best = min(losses, key=lambda size: losses[size])
    near = [size for size, loss in losses.items() if loss <= losses[best] + _EFFECT]
    return {"margin": _EFFECT, "best": best, "smallest": min(near), "largest": max(near)}


def _seconds(train: Examples, tune: Examples, size: int) -> float:
    """Seconds of an epoch of a plain fit, with the evaluation on tune; the minimum of two."""
    results = []
    for _ in range(2):
        start = time.perf_counter()
        one = dataclasses.replace(CHAPTER, batch_size=size, epochs=1)
        fit(train, tune, int(train.labels.max()) + 1, one, torch.Generator().manual_seed(0))
        results.append(time.perf_counter() - start)
    return min(results)


def _draw_losses(values: Mapping[str, Any]) -> Figure:
    """Losses over the size, after equally many epochs and after equally many steps."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    epochs, steps = figure.subplots(1, 2, sharey=True)
    sizes = [int(size) for size in values["means"]]
    means = list(values["means"].values())

    def line(axes: Axes, losses: list[float], label: str, style: tuple[str, str, str]) -> None:
        colour, mark, dashes = style
        axes.plot(sizes, losses, color=colour, marker=mark, linestyle=dashes, markersize=4, label=label)

    line(epochs, [one["fixed"]["tune"] for one in means], "rate 0.1, tune", (VERMILION, "s", "-"))
    line(epochs, [one["fixed"]["train"] for one in means], "rate 0.1, train", (BLUE, "o", "--"))
    line(epochs, [one["scaled"]["tune"] for one in means], "rate in proportion, tune", (GREEN, "^", "-."))
    line(epochs, [one["best"]["tune"] for one in means], "best rate, tune", (BLACK, "D", ":"))
    line(steps, [one["tune"] for one in values["steps"].values()], "rate 0.1, tune", (VERMILION, "s", "-"))
    line(steps, [one["train"] for one in values["steps"].values()], "rate 0.1, train", (BLUE, "o", "--"))
    epochs.set_title("after 10 epochs", fontsize="medium")
    steps.set_title(f"after {values['steps_each']} steps", fontsize="medium")
    epochs.set_ylabel("cross-entropy (nats)")
    _plain(epochs, [0.5, 1, 2, 5])
    epochs.set_ylim(0.4, 8)  # the proportional rate leaves the range: its losses are in the table
    for axes in (epochs, steps):
        _over_sizes(axes)
        axes.legend(frameon=False, fontsize="small")
    return figure


def _draw_rates(values: Mapping[str, Any], costs: Mapping[str, Any]) -> Figure:
    """The best rate and the time of an epoch over the size."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    rates, seconds = figure.subplots(1, 2)
    sizes = [int(size) for size in values["means"]]
    best = [kinds["best"]["rate"] for kinds in values["means"].values()]
    scaled = [kinds["scaled"]["rate"] for kinds in values["means"].values()]
    rates.plot(sizes, best, color=BLUE, marker="o", markersize=4, label="best of those tried")
    rates.plot(sizes, scaled, color=ORANGE, linestyle="--", label="in proportion, 0.1 at 256")
    rates.axhline(values["noise"]["edge"], color=GREY, linestyle=":", label="2 / curvature at the start")
    rates.set_ylabel("learning rate")
    rates.legend(frameon=False, fontsize="small")
    seconds.plot(sizes, list(costs["epoch"].values()), color=BLUE, marker="o", markersize=4)
    seconds.set_ylabel("time of an epoch (s)")
    _plain(rates, [0.001, 0.01, 0.1, 1, 10])
    _plain(seconds, [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10])
    for axes in (rates, seconds):
        _over_sizes(axes)
    return figure


def _plain(axes: Axes, ticks: list[float]) -> None:
    """A logarithmic scale with plain numbers."""
    axes.set_yscale("log")
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.set_minor_locator(NullLocator())


def _over_sizes(axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator([4**k for k in range(8)]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.tick_params(axis="x", labelsize="small")
    axes.set_xlabel("examples in a minibatch")
    open_frame(axes)
