"""A sheet of pictures on which the default policy abstains, each with its reason."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from service.inference.classifier import Scores
from service.inference.decision import ANSWERED, REASONS, Outcomes, Reason
from training.reporting.evaluation.evaluation import Evaluation

_COLUMNS = 7
_MAX_UNCERTAIN = 2 * _COLUMNS  # report inputs abstained on for another reason than the gate
_MAX_OUTSIDE = _COLUMNS  # report inputs that are out of distribution


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture and its caption."""

    image: NDArray[np.uint8]  # [H, W]
    reason: Reason
    truth: str  # the true class, or the name of the strange set
    top: str
    confidence: float


def tiles(evaluation: Evaluation) -> list[Tile]:
    """The first report inputs for each kind of reason, in random order, and the first of each strange set."""
    labels = evaluation.manifest.labels
    truths = [f"true: {labels[label]}" for label in evaluation.report.labels.tolist()]
    own = list(_abstained(evaluation, evaluation.inputs, evaluation.report.scores, evaluation.outcomes, truths))
    chosen = [
        *islice((tile for tile in own if tile.reason != "out_of_distribution"), _MAX_UNCERTAIN),
        *islice((tile for tile in own if tile.reason == "out_of_distribution"), _MAX_OUTSIDE),
    ]
    for strange in evaluation.strange:
        names = [f"strange: {strange.name}"] * len(strange.inputs)
        chosen += islice(_abstained(evaluation, strange.inputs, strange.scores, strange.outcomes, names), 1)
    return chosen


def _abstained(
    evaluation: Evaluation,
    images: NDArray[np.uint8],
    scores: Scores,
    decided: Outcomes,
    truths: list[str],
) -> Iterable[Tile]:
    for row in np.flatnonzero(decided.reasons != ANSWERED).tolist():
        top = evaluation.manifest.labels[int(scores.probabilities[row].argmax())]
        yield Tile(images[row], REASONS[decided.reasons[row]], truths[row], top, float(scores.confidence[row]))


def draw(shown: Sequence[Tile]) -> Figure:
    """The tiles in rows. Where the policy abstains on no input, the sheet says so."""
    if not shown:
        figure = Figure(figsize=(7, 1.2))
        figure.text(0.5, 0.5, "The default policy abstains on no input.", ha="center", va="center")
        return figure
    rows = -(-len(shown) // _COLUMNS)
    figure = Figure(figsize=(11, 2.05 * rows), layout="constrained")
    grid = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes, tile in zip(grid, shown, strict=False):
        _draw(axes, tile)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    return figure


def _draw(axes: Axes, tile: Tile) -> None:
    axes.imshow(tile.image, cmap="gray", vmin=0, vmax=255)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(f"{tile.reason}\n{tile.truth}\ntop: {tile.top} {tile.confidence:.3f}", fontsize=7.5, loc="left")
