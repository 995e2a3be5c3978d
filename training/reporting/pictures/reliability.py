"""The reliability diagram: accuracy over confidence."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from training.certification.tails import clopper_pearson_lower, clopper_pearson_upper
from training.reporting.evaluation import metrics
from training.reporting.evaluation.evaluation import Evaluation
from training.reporting.pictures.palette import BLUE, GREY, SKY, open_frame

_BOUND = 0.975  # on each side of a 95 % interval


def draw(evaluation: Evaluation) -> Figure:
    """Accuracy over mean confidence for 15 bins of equal width, above the number of inputs in each bin."""
    figure = Figure(figsize=(6, 5.4), layout="constrained")
    diagram, histogram = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.2))
    report = evaluation.report
    bins = metrics.reliability(report.scores.probabilities, report.labels)
    confidence, accuracy, counts = (np.array(column) for column in zip(*bins, strict=True))
    diagram.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="calibrated: accuracy equals confidence")
    diagram.errorbar(
        confidence,
        accuracy,
        yerr=_bars(accuracy, counts),
        color=BLUE,
        marker="o",
        capsize=3,
        elinewidth=1,
        label="this model, on the report split, with 95 % intervals",
    )
    diagram.set_ylabel("accuracy (%)")
    diagram.yaxis.set_major_formatter(PercentFormatter(1, symbol=None))
    diagram.set_ylim(0, 1.02)
    figure.legend(frameon=False, loc="outside upper left")
    bars = histogram.bar(confidence, counts, width=0.04, color=SKY)
    histogram.bar_label(bars, fontsize=8)
    histogram.margins(y=0.2)
    histogram.set_ylabel("inputs")
    histogram.set_xlabel("confidence: the largest probability, mean of the bin (%)")
    histogram.set_xlim(0, 1.02)
    histogram.xaxis.set_major_formatter(PercentFormatter(1, symbol=None))
    open_frame(diagram)
    open_frame(histogram)
    return figure


def _bars(accuracy: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The Clopper-Pearson interval of each accuracy, as distances below and above it, `[2, B]`."""
    bounds = [
        (clopper_pearson_lower(right, count, _BOUND), clopper_pearson_upper(right, count, _BOUND))
        for right, count in zip(np.rint(accuracy * counts).astype(int).tolist(), counts.tolist(), strict=True)
    ]
    return np.abs(np.array(bounds).T - accuracy)
