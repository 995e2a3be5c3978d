"""Exercise 5: the learning rate, from too small to far too large, and what the curvature of the loss predicts."""

import dataclasses
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from exercises.curvature import curvature_bound, loss_curvature
from exercises.exercise import Findings, Settings
from service.contract.option_values import positive
from training.certification.temperature import fit_temperature
from training.cli.values import several
from training.data.encoders import encoder_for
from training.data.opening import load
from training.data.splits import split
from training.fitting.examples import Examples
from training.fitting.fit import Fit
from training.fitting.recipes import CHAPTER, combinations
from training.fitting.regression import SoftmaxRegression
from training.fitting.source import examples
from training.fitting.sweep.runs import Run, run
from training.fitting.sweep.together import fit_together
from training.reporting.pictures.palette import BLACK, BLUE, GREEN, GREY, VERMILION, open_frame

RATES, SEEDS = "1e-3:10:25", 3
_QUICK_RATES = (0.001, 0.01, 0.1)
_CURVATURE_EXAMPLES, _WATCHED = 10_000, 1_000
_DESCENT_RATES, _DESCENT_STEPS = "0.02:0.64:21", 100
_CHAPTER = CHAPTER.learning_rate


def measure(settings: Settings) -> Findings:
    """Sweep the rates, find the edges that the curvature predicts, and descend on all examples at once."""
    dataset = load(None, settings.data_dir, lambda _: None)
    rates = _QUICK_RATES if settings.quick else several(positive)(RATES)
    runs = run(dataset, combinations(CHAPTER, {"learning_rate": rates}), range(1 if settings.quick else SEEDS), _CPU)
    splits = split(dataset, "tuned", 0)
    encoder = encoder_for(dataset.input, splits.train)
    tune = examples(splits.tune, encoder)
    few = examples(splits.train.take(np.arange(_CURVATURE_EXAMPLES)), encoder)
    assert isinstance(tune, Examples)
    assert isinstance(few, Examples)
    values: dict[str, Any] = {
        "runs": _by_rate(runs),
        "curvature": _curvature(few, _model(runs, _CHAPTER)),
        "examples": {"curvature": len(few), "tune": len(tune)},
    }
    if settings.quick:
        return Findings(values)
    values |= {"means": _means(runs), "best": _best(runs), "descent": _descent(few)}
    values["scale"] = {f"{rate:g}": _scale(_model(runs, rate), tune) for rate in (0.001, 0.1, 1.0, 10.0)}
    costs = {"seconds": sum(one.seconds for one in runs), "runs": len(runs)}
    return Findings(values, costs, {"learning-rate-loss": _draw(values)})


_CPU = torch.device("cpu")


def _by_rate(runs: Sequence[Run]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for one in runs:
        assert one.kept is not None
        results.setdefault(f"{one.settings.learning_rate:g}", {})[str(one.seed)] = dataclasses.asdict(one.kept.tune)
    return results


def _means(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Means over the seeds, with minimum and maximum."""
    results = {}
    for rate, seeds in _by_rate(runs).items():
        results[rate] = {
            f"{name}{which}": of(quality[name] for quality in seeds.values())
            for name in ("loss", "accuracy")
            for which, of in (("", statistics.fmean), ("_min", min), ("_max", max))
        }
    return results


def _best(runs: Sequence[Run]) -> dict[str, Any]:
    """The rates of the lowest mean loss and of the highest mean accuracy."""
    means = _means(runs)
    loss = min(means, key=lambda rate: means[rate]["loss"])
    accuracy = max(means, key=lambda rate: means[rate]["accuracy"])
    return {"loss": {"rate": float(loss), **means[loss]}, "accuracy": {"rate": float(accuracy), **means[accuracy]}}


def _model(runs: Sequence[Run], rate: float) -> SoftmaxRegression:
    """The model of the first seed."""
    outcome = next(one.outcome for one in runs if one.settings.learning_rate == rate)
    assert isinstance(outcome, Fit)
    return outcome.model


def _curvature(few: Examples, fitted: SoftmaxRegression) -> dict[str, dict[str, float]]:
    """Largest curvatures, and the rates beyond which a quadratic of that curvature grows."""
    initial = SoftmaxRegression.initial(few.width, len(fitted.biases), torch.Generator().manual_seed(0))
    mean = few.features.mean(dim=0)
    results = {
        "bound": curvature_bound(few.features),
        "bound_centred": curvature_bound(few.features - mean),
        "initial": loss_curvature(initial, few.features),
        "fitted": loss_curvature(fitted, few.features),
    }
    return {name: {"largest": largest, "edge": 2 / largest} for name, largest in results.items()}


def _descent(few: Examples) -> dict[str, Any]:
    """The number of steps of full-batch gradient descent in which the loss rose, for each rate.

    One minibatch an epoch, and an epoch's mean loss on train is then the loss before its only update.
    """
    base = dataclasses.replace(CHAPTER, batch_size=len(few), epochs=_DESCENT_STEPS)
    grid = combinations(base, {"learning_rate": several(positive)(_DESCENT_RATES)})
    classes = int(few.labels.max()) + 1
    outcomes = fit_together(few, few.take(torch.arange(_WATCHED)), classes, grid, torch.Generator().manual_seed(0))
    rises, losses = {}, {}
    for one, outcome in zip(grid, outcomes, strict=True):
        course = [epoch.train.loss for epoch in outcome.history]
        rises[one.learning_rate] = sum(after > before for before, after in itertools.pairwise(course))
        losses[f"{one.learning_rate:g}"] = course[-1]
    return {
        "steps": _DESCENT_STEPS - 1,
        "rises": {f"{rate:g}": count for rate, count in rises.items()},
        "losses": losses,
        "largest_without": max(rate for rate in rises if not any(rises[r] for r in rises if r <= rate)),
        "smallest_with": min(rate for rate, count in rises.items() if count),
    }


def _scale(model: SoftmaxRegression, tune: Examples) -> dict[str, float]:
    """The effect of a temperature alone on the tune loss."""
    logits: Tensor = model.to(dtype=torch.float64).logits(tune.features.double())
    temperature = fit_temperature(logits, tune.labels.numpy())
    cooled = torch.log_softmax(logits / temperature, dim=1)
    return {
        "temperature": temperature,
        "loss": -torch.log_softmax(logits, dim=1)[torch.arange(len(tune)), tune.labels].mean().item(),
        "loss_at_temperature": -cooled[torch.arange(len(tune)), tune.labels].mean().item(),
        "confidence": torch.softmax(logits, dim=1).amax(dim=1).mean().item(),
        "accuracy": (logits.argmax(dim=1) == tune.labels).double().mean().item(),
        "logit": math.sqrt(logits.square().mean().item()),
    }


def _draw(values: Mapping[str, Any]) -> Figure:
    """Loss and accuracy on tune over the learning rate, with the edges that the curvature predicts."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    _draw_over_rates(loss, values["means"], "loss", BLUE, "o")
    _draw_over_rates(accuracy, values["means"], "accuracy", VERMILION, "s")
    loss.set_yscale("log")
    loss.set_ylabel("cross-entropy on tune (nats)")
    accuracy.set_ylabel("accuracy on tune (share of right labels)")
    edges = values["curvature"]
    for axes in (loss, accuracy):
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.axvline(edges["bound"]["edge"], color=GREY, linestyle="-", label="safe at any weights (Böhning)")
        axes.axvline(edges["initial"]["edge"], color=GREEN, linestyle="--", label="2 / curvature at the start")
        axes.axvline(edges["fitted"]["edge"], color=BLACK, linestyle=":", label="2 / curvature after the fit")
        open_frame(axes)
    loss.legend(framealpha=1, edgecolor="none", fontsize="small", loc="upper left")
    return figure


def _draw_over_rates(axes: Axes, means: Mapping[str, Mapping[str, float]], name: str, colour: str, mark: str) -> None:
    rates = [float(rate) for rate in means]
    of_mean = [one[name] for one in means.values()]
    below = [one[name] - one[f"{name}_min"] for one in means.values()]
    above = [one[f"{name}_max"] - one[name] for one in means.values()]
    axes.errorbar(rates, of_mean, yerr=(below, above), color=colour, marker=mark, markersize=4)
