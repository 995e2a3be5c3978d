"""The pictures of the exercise about large vocabularies."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.reporting.pictures.palette import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION, open_frame

_LOOKS = {  # colour, line, mark, and what it is
    "materialised": (BLACK, "-", "o", "materialised"),
    "chunked": (BLUE, "-", "s", "vocabulary in chunks (ours)"),
    "native": (VERMILION, "--", "^", "torch's own, rows in chunks"),
    "sampled": (GREEN, ":", "D", "sampled softmax, 1,024 draws"),
    "adaptive": (ORANGE, "-.", "v", "adaptive softmax"),
}

_APART = 0.04


def draw(grid: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Figure]:
    """All pictures, by file name."""
    return {"vocabulary-costs": _costs(grid), "vocabulary-predictions": _predictions(values)}


def _costs(grid: Mapping[str, Any]) -> Figure:
    """Memory and time of a step against V, for the largest batch."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    memory, seconds = figure.subplots(1, 2)
    batch = max(next(iter(grid.values())), key=int)
    for way, (colour, line, mark, label) in _LOOKS.items():
        measured = [(int(v), cells[batch][way]) for v, cells in grid.items() if cells[batch][way] is not None]
        x = [v for v, _ in measured]
        style = {"color": colour, "linestyle": line, "marker": mark, "markersize": 5, "label": label}
        memory.plot(x, [cost["memory"] / 1e6 for _, cost in measured], **style)
        seconds.plot(x, [cost["seconds"] for _, cost in measured], **style)
    memory.set_ylabel("memory of a step (MB)")
    seconds.set_ylabel("time of a step (s)")
    for axes in (memory, seconds):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("size of the vocabulary, V (classes)")
        open_frame(axes)
    figure.suptitle(f"{int(batch):,} examples a step", fontsize=10)
    memory.legend(frameon=False, fontsize=8)
    return figure


def _predictions(values: Mapping[str, Any]) -> Figure:
    """The quality of predictions by frequency and by confidence."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _by_frequency(left, values["bands"])
    answered = values["thresholds"]
    x = [row["coverage"] for row in answered.values()]
    right.plot(x, [row["accuracy"] for row in answered.values()], color=BLUE, marker="s", markersize=5)
    previous = 2.0
    for threshold, row in answered.items():
        if previous - row["coverage"] < _APART:
            continue  # its number would overlap its neighbour
        previous = row["coverage"]
        right.annotate(threshold, (row["coverage"], row["accuracy"]), (4, 4), textcoords="offset points", fontsize=8)
    right.set_xlabel("coverage (share of places answered)")
    right.set_ylabel("accuracy (share right of these)")
    right.set_xlim(0, 1.08)
    right.set_ylim(0, 1.08)
    right.set_title("answered from the confidence beside the mark", fontsize=9)
    open_frame(right)
    return figure


def _by_frequency(axes: Axes, bands: Mapping[str, Any]) -> None:
    names = list(bands)
    labels = ["unknown", *(f"{a}-{int(b) - 1}" for a, b in pairwise(names[1:]))]
    labels.append(f"{int(names[-1]):,}+")
    bars = axes.bar(
        labels, [100 * bands[name]["right"] for name in names], color=PURPLE, edgecolor=BLACK, linewidth=0.6
    )
    axes.bar_label(bars, [f"{bands[name]['nats']:.1f} nats" for name in names], fontsize=8, padding=2)
    axes.set_xlabel("occurrences of the true token in the training files")
    axes.set_ylabel("likeliest token is right (%)")
    axes.tick_params(axis="x", labelsize=8)
    open_frame(axes)
