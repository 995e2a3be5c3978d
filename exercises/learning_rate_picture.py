"""The picture of the exercise on the learning rate."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.reporting.pictures.palette import BLACK, BLUE, GREEN, GREY, VERMILION, open_frame


def draw(values: Mapping[str, Any]) -> Figure:
    """Loss and accuracy on tune over the learning rate, with the edges that the curvature predicts."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    _draw(loss, values["means"], "loss", BLUE, "o")
    _draw(accuracy, values["means"], "accuracy", VERMILION, "s")
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


def _draw(axes: Axes, means: Mapping[str, Mapping[str, float]], name: str, colour: str, mark: str) -> None:
    rates = [float(rate) for rate in means]
    of_mean = [one[name] for one in means.values()]
    below = [one[name] - one[f"{name}_min"] for one in means.values()]
    above = [one[f"{name}_max"] - one[name] for one in means.values()]
    axes.errorbar(rates, of_mean, yerr=(below, above), color=colour, marker=mark, markersize=4)
