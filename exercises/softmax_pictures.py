"""The picture of the softmax's error."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.reporting.pictures.palette import BLUE, GREEN, GREY, ORANGE, VERMILION, open_frame

Errors = Mapping[str, Mapping[str, Mapping[str, float | None]]]  # by format, form and offset

_STYLES = {  # colour, line, mark, and the height at which a result that is no number is drawn
    "float16": (VERMILION, "--", "s", 1e3),
    "bfloat16": (ORANGE, ":", "^", 1e4),
    "float32": (BLUE, "-", "o", 1e5),
    "float64": (GREEN, "-.", "D", 1e6),
}
_RANGE = (1e-17, 1e7)
_EVERY = 4  # point has its mark


def draw(near: Errors, far: Errors) -> Figure:
    """Left the textbook's form around exp's limits; right the two safe forms far from 0."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, (colour, line, mark, nan) in _STYLES.items():
        _plot(left, near[name]["textbook"], colour, line, mark, name)
        failed = [float(offset) for offset, error in near[name]["textbook"].items() if error is None]
        left.plot(failed, [nan] * len(failed), color=colour, linestyle="none", marker=mark, markersize=2.5)
    left.set_title("exp(z) / sum exp(z), the textbook's", fontsize=10)
    left.axhspan(1e2, _RANGE[1], color=GREY, alpha=0.15, linewidth=0)
    left.annotate("NaN", (0, 1e5), ha="center", va="center", fontsize=9)
    for name in ("float32", "float64"):
        colour, line, mark, _ = _STYLES[name]
        _plot(right, far[name]["division_free"], colour, "--", mark, f"exp(z - log sum exp(z)), {name}")
        _plot(right, far[name]["shifted"], colour, "-", "", f"shifted by the maximum, {name}")
    right.set_title("the two that do not overflow", fontsize=10)
    right.set_xscale("log")
    for axes in (left, right):
        axes.set_xlabel("offset added to every logit (nats)")
        axes.set_ylabel("largest relative error")
        axes.set_yscale("log")
        axes.set_ylim(*_RANGE)
        axes.set_yticks([10.0**power for power in range(-16, 1, 4)])
        open_frame(axes)
    left.legend(frameon=False, fontsize=8, loc="center", bbox_to_anchor=(0.5, 0.28), ncols=2)
    right.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def _plot(axes: Axes, errors: Mapping[str, float | None], colour: str, line: str, mark: str, name: str) -> None:
    offsets = [float(offset) for offset in errors]
    heights = [float("nan") if error is None else error for error in errors.values()]
    every = _EVERY if len(heights) > 50 else 1
    axes.plot(offsets, heights, color=colour, linestyle=line, marker=mark, markersize=3, markevery=every, label=name)
