"""The picture of what abstaining buys."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training.reporting.evaluation.risk_coverage import RiskCoverage
from training.reporting.pictures.palette import BLUE, GREY, ORANGE, SKY, VERMILION, open_frame

_LEAST_COVERAGE = 0.1  # below it one error moves the curve


def draw(
    curve: RiskCoverage,
    certified: Mapping[str, Mapping[str, float | None]],
    worst: Mapping[str, Any],
    classes: Mapping[str, Mapping[str, float]],
) -> Figure:
    """Left accuracy over coverage, with what is promised; right what becomes of each class."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _coverage(left, curve, certified, worst)
    _by_class(right, classes)
    return figure


def _coverage(
    axes: Axes,
    curve: RiskCoverage,
    certified: Mapping[str, Mapping[str, float | None]],
    worst: Mapping[str, Any],
) -> None:
    shown = curve.coverage >= _LEAST_COVERAGE
    axes.plot(curve.coverage[shown], 1 - curve.selective_risk[shown], color=BLUE, label="report split")
    points = [(row["calibration_coverage"], 1 - float(risk)) for risk, row in certified.items() if row["threshold"]]
    if points:
        axes.plot(*zip(*points, strict=True), color=VERMILION, marker="D", linestyle="none", label="certified")
    label = f"never saying {worst['label']}"
    axes.plot(worst["coverage"], 1 - worst["risk"], color=ORANGE, marker="s", linestyle="none", label=label)
    axes.set_xlabel("coverage: share answered (%)")
    axes.set_ylabel("accuracy of the answered (%)")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=None))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=None))
    axes.set_xlim(0, 1.01)
    axes.legend(frameon=False, loc="lower left")
    open_frame(axes)


def _by_class(axes: Axes, classes: Mapping[str, Mapping[str, float]]) -> None:
    left = [0.0] * len(classes)
    for part, colour, hatch in (("right", SKY, ""), ("wrong", VERMILION, "xx"), ("abstained", GREY, "//")):
        widths = [shares[part] for shares in classes.values()]
        name = {"right": "right", "wrong": "wrong", "abstained": "no answer"}[part]
        axes.barh(
            list(classes), widths, left=left, color=colour, hatch=hatch, height=0.7, label=name, edgecolor="white"
        )
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the class's images (%)")
    axes.set_ylabel("true class")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=None))
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=9)
    open_frame(axes)
