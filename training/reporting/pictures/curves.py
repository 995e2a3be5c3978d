"""The training curves of a fit."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.fitting.fit import Epoch
from training.reporting.pictures.palette import BLUE, GREY, VERMILION


def draw_curves(history: list[Epoch], best_epoch: int, tune_is_held_out: bool) -> Figure:
    """Loss and accuracy over the epochs, side by side."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    tune = "tune (held out of training)" if tune_is_held_out else "tune (the official test images)"
    numbers = [epoch.number for epoch in history]
    _draw(loss, numbers, [e.train.loss for e in history], [e.tune.loss for e in history], tune)
    _draw(accuracy, numbers, [e.train.accuracy for e in history], [e.tune.accuracy for e in history], tune)
    loss.set_ylabel("cross-entropy (nats)")
    accuracy.set_ylabel("accuracy (share of right labels)")
    for axes in (loss, accuracy):
        axes.axvline(best_epoch, color=GREY, linewidth=1, label=f"kept: epoch {best_epoch}")
        axes.legend(frameon=False)
    return figure


def _draw(axes: Axes, numbers: list[int], train: list[float], tune: list[float], tune_label: str) -> None:
    axes.plot(numbers, train, color=BLUE, linestyle="-", label="train (mean over the epoch)")
    axes.plot(numbers, tune, color=VERMILION, linestyle="--", label=tune_label)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
