"""Histograms of `ood_score` for report inputs and strange inputs, with the gate's threshold."""

from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from training.reporting.evaluation.evaluation import Evaluation, StrangeSet
from training.reporting.pictures.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, open_frame

_BINS = 120
_STYLES = [  # of each set, in order
    (BLUE, "-"),
    (SKY, "-."),
    (GREEN, "--"),
    (ORANGE, "-"),
    (PURPLE, ":"),
    (BLACK, ":"),
    (VERMILION, "-."),
]


def draw(evaluation: Evaluation) -> Figure:
    """The distribution of the score in each set, on a logarithmic scale; a set of one picture is a line."""
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    axes = figure.subplots()
    own = evaluation.report.scores.ood_score
    scores = np.concatenate([own, *(s.scores.ood_score for s in evaluation.strange)])
    low = max(float(scores.min()), 1e-3)
    bins = np.geomspace(low, max(float(scores.max()), 2 * low) * 1.001, _BINS)
    axes.hist(own.clip(low), bins=bins.tolist(), weights=_shares(len(own)), color=GREY, alpha=0.6, label="report split")
    for strange, (colour, line) in zip(evaluation.strange, cycle(_STYLES), strict=False):
        _draw_set(axes, strange, bins, colour, line)
    if (abstention := evaluation.manifest.abstention) is not None:
        threshold = abstention.out_of_distribution.threshold
        axes.axvline(threshold, color=BLACK, linewidth=1.5, label=f"threshold {threshold:.3f}")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))  # powers need mathematics, which is not parsed
    axes.set_xlabel("ood_score (no unit, logarithmic)")
    axes.set_ylabel("share of the set in each bin (%)")
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=None))
    open_frame(axes)
    figure.legend(frameon=False, loc="outside right upper", fontsize=9)
    return figure


def _draw_set(axes: Axes, strange: StrangeSet, bins: np.ndarray, colour: str, line: str) -> None:
    scores = strange.scores.ood_score
    if len(scores) == 1:
        axes.axvline(float(scores[0]), color=colour, linestyle=line, linewidth=2, label=f"{strange.name} (one picture)")
        return
    axes.hist(
        scores.clip(bins[0]),
        bins=bins.tolist(),
        weights=_shares(len(scores)),
        histtype="step",
        color=colour,
        linestyle=line,
        linewidth=1.4,
        label=strange.name,
    )


def _shares(size: int) -> np.ndarray:
    return np.full(size, 1 / size)
