"""Two pictures of the classes: coverage and risk of each, and the confusion matrix."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from service.contract.policy import SelectiveRiskPolicy
from training.reporting.evaluation.evaluation import Evaluation
from training.reporting.numbers import round_percent
from training.reporting.pictures.palette import BLACK, BLUE, ORANGE, VERMILION, open_frame

_MAX_WITH_NUMBERS = 20  # classes; with more, the cells are too small for a number


def draw(evaluation: Evaluation) -> Figure:
    """Coverage and risk of each class under the default policy."""
    classes = evaluation.classes
    figure = Figure(figsize=(9, 1.6 + 0.36 * len(classes)), layout="constrained")
    coverage, risk = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(classes))
    coverage.barh(places, [c.answered / max(c.size, 1) for c in classes], color=BLUE, height=0.6)
    coverage.set_xlabel("coverage: share of its inputs answered (%)")
    coverage.set_yticks(places, [c.label for c in classes])
    coverage.set_ylabel("class")
    coverage.invert_yaxis()
    coverage.set_xlim(0, 1)
    wrong = [c.errors / max(c.answered, 1) for c in classes]
    misled = [c.wrong / max(c.given, 1) for c in classes]
    risk.barh(places - 0.18, wrong, color=VERMILION, height=0.34, label="of its inputs that are answered")
    risk.barh(places + 0.18, misled, color=ORANGE, height=0.34, hatch="//", label="of the answers that name it")
    risk.set_xlabel("selective risk: share of errors (%)")
    risk.set_xlim(0, max(0.01, 1.05 * max(wrong + misled)))
    _promise(risk, evaluation)
    for axes in (coverage, risk):
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=None))
        open_frame(axes)
    risk.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9)
    return figure


def _promise(axes: Axes, evaluation: Evaluation) -> None:
    policy = evaluation.manifest.default_policy
    if isinstance(policy, SelectiveRiskPolicy):
        promised = policy.selective_risk
        text = f"promised over all classes: {round_percent(promised)}"
        axes.axvline(promised, color=BLACK, linestyle="--", linewidth=1, label=text)


def draw_confusion(evaluation: Evaluation) -> Figure:
    """Rows are true classes, columns likeliest classes; the shade is the share of the true class."""
    confusion, names = evaluation.confusion, evaluation.manifest.labels
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = 2.6 + 0.46 * len(names)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    bar = figure.colorbar(picture, ax=axes, shrink=0.8, format=PercentFormatter(1, symbol=None))
    bar.set_label("share of the true class (%)")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("likeliest class")
    axes.set_ylabel("true class")
    if len(names) <= _MAX_WITH_NUMBERS:
        for (row, column), count in np.ndenumerate(confusion):
            colour = "white" if shares[row, column] > 0.5 else BLACK
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    return figure
