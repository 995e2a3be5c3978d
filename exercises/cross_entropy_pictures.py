"""The picture of what the cross-entropy costs."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from training.reporting.pictures.palette import BLUE, VERMILION, open_frame

_TITLES = {"": "loss of given probabilities", "gradient_": "loss and gradient from logits"}


def draw(seconds: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """Time over the number of classes, by batch size, for the sum over one-hot labels and for indexing."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, (prefix, title) in zip(figure.subplots(1, 2, sharey=True), _TITLES.items(), strict=True):
        for batch, mark in zip(seconds, ("o", "s"), strict=False):
            for form, colour, line in (("sum", VERMILION, "--"), ("index", BLUE, "-")):
                classes = [int(count) for count in seconds[batch]]
                times = [1e3 * row[prefix + form] for row in seconds[batch].values()]
                label = f"{'sum over one-hot' if form == 'sum' else 'by index'}, batch {batch}"
                axes.plot(classes, times, color=colour, linestyle=line, marker=mark, markersize=4, label=label)
        axes.set_title(title, fontsize=10)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("classes")
        axes.set_ylabel("time (ms)")
        axes.legend(frameon=False, fontsize=8)
        open_frame(axes)
    return figure
