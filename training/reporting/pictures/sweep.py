"""The picture of a sweep: loss and accuracy on tune over the swept setting."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.fitting.recipes import FitSettings
from training.fitting.sweep.ranking import Standing
from training.reporting.pictures.palette import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, open_frame

_STYLES = [
    (BLUE, "o", "-"),
    (VERMILION, "s", "--"),
    (GREEN, "^", "-."),
    (ORANGE, "D", ":"),
    (PURPLE, "v", "-"),
    (SKY, "P", "--"),
    (BLACK, "X", "-."),
]


def swept(settings: Sequence[FitSettings]) -> list[str]:
    """The names of the fields with more than one value, in order, the learning rate first."""
    names = [field.name for field in dataclasses.fields(FitSettings)]
    names.sort(key=lambda name: name != "learning_rate")
    return [name for name in names if len({getattr(one, name) for one in settings}) > 1]


def draw(standings: Sequence[Standing], axis: str, lines: Sequence[str]) -> Figure:
    """Means and ranges over the seeds, over the field `axis`, with a line for each combination of the fields `lines`.

    At most as many combinations as there are styles are drawn, the best ones. `standings` are sorted, best first.
    """
    combinations: dict[tuple[Any, ...], list[Standing]] = {}
    for standing in standings:
        combinations.setdefault(tuple(getattr(standing.settings, name) for name in lines), []).append(standing)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    for (values, group), style in zip(list(combinations.items())[: len(_STYLES)], _STYLES, strict=False):
        label = ", ".join(f"{_words(name)} {value}" for name, value in zip(lines, values, strict=True))
        in_order = sorted(group, key=lambda standing: getattr(standing.settings, axis))
        _draw(loss, {getattr(one.settings, axis): one.losses for one in in_order}, style, label)
        _draw(accuracy, {getattr(one.settings, axis): one.accuracies for one in in_order}, style, label)
    loss.set_ylabel("cross-entropy on tune (nats)")
    accuracy.set_ylabel("accuracy on tune (share)")
    for axes in (loss, accuracy):
        axes.set_xlabel(_words(axis))
        open_frame(axes)
        _scale(axes, [getattr(one.settings, axis) for one in standings])
    if min((one.loss for one in standings if one.losses), default=0) > 0:
        loss.set_yscale("log")
    if lines:
        loss.legend(frameon=False, fontsize="small")
    return figure


def _draw(axes: Axes, points: Mapping[Any, tuple[float, ...]], style: tuple[str, str, str], label: str) -> None:
    drawn = {x: values for x, values in points.items() if values}
    means = [statistics.fmean(values) for values in drawn.values()]
    below = [mean - min(values) for mean, values in zip(means, drawn.values(), strict=True)]
    above = [max(values) - mean for mean, values in zip(means, drawn.values(), strict=True)]
    colour, mark, line = style
    axes.errorbar(
        list(drawn), means, yerr=(below, above), color=colour, marker=mark, linestyle=line, markersize=4, label=label
    )
    for x in points.keys() - drawn.keys():
        axes.axvline(x, color=colour, linestyle=":", linewidth=0.8)


def _scale(axes: Axes, values: list[Any]) -> None:
    """Logarithmic where the values span more than a factor of ten and none is 0."""
    if all(isinstance(value, (int, float)) and value > 0 for value in values) and max(values) > 10 * min(values):
        axes.set_xscale("log")


def _words(name: str) -> str:
    return name.replace("_", " ")
