"""The pictures of the exercise on the size of a minibatch."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from training.reporting.pictures.palette import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION, open_frame


def draw_losses(values: Mapping[str, Any]) -> Figure:
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
    epochs.set_ylim(0.4, 8)  # the rate in proportion leaves it: the table has those losses
    for axes in (epochs, steps):
        _over_sizes(axes)
        axes.legend(frameon=False, fontsize="small")
    return figure


def draw_rates(values: Mapping[str, Any], costs: Mapping[str, Any]) -> Figure:
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
    """A logarithmic scale with numbers that are read as they are spoken."""
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
