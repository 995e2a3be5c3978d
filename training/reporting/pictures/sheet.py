"""All pictures of an evaluation, as PNG files with alternative text."""

import io
from dataclasses import dataclass

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from service.contract.inputs import ImageInput
from training.reporting.evaluation.evaluation import Evaluation
from training.reporting.pictures import abstained, classes, reliability, risk_coverage, strangeness

_DOTS_PER_INCH = 150


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG and its alternative text."""

    name: str  # of its file
    png: bytes
    alt: str


def as_png(figure: Figure) -> bytes:
    """The figure as PNG; the same figure gives the same bytes."""
    stream = io.BytesIO()
    figure.set_dpi(_DOTS_PER_INCH)
    # `savefig` would draw the figure twice, once for its layout alone.
    FigureCanvasAgg(figure).print_png(stream)  # type: ignore[no-untyped-call]
    return stream.getvalue()


def draw_all(evaluation: Evaluation) -> list[Picture]:
    """Every picture of the report."""
    with rc_context({"text.parse_math": False}):  # a label may hold a dollar sign
        return _draw_all(evaluation)


def _draw_all(evaluation: Evaluation) -> list[Picture]:
    return [
        Picture("risk-coverage.png", as_png(risk_coverage.draw(evaluation)), _risk_coverage(evaluation)),
        Picture("reliability.png", as_png(reliability.draw(evaluation)), _reliability(evaluation)),
        Picture("classes.png", as_png(classes.draw(evaluation)), _classes(evaluation)),
        Picture("confusion.png", as_png(classes.draw_confusion(evaluation)), _confusion(evaluation)),
        Picture("out-of-distribution.png", as_png(strangeness.draw(evaluation)), _strangeness(evaluation)),
        *([_abstained(evaluation)] if isinstance(evaluation.manifest.input, ImageInput) else []),
    ]


def _risk_coverage(evaluation: Evaluation) -> str:
    risk = evaluation.risk_coverage["full_risk"].value
    return (
        f"Risk-coverage curve on the report split: the share of errors among the answers, up to {risk:.1%} at full "
        "coverage, beside the ideal curve and the certified points."
    )


def _reliability(evaluation: Evaluation) -> str:
    ece = evaluation.manifest.metrics.ece
    return f"Reliability diagram: accuracy against confidence in 15 bins, with counts; calibration error {ece:.4f}."


def _classes(evaluation: Evaluation) -> str:
    answered = [c for c in evaluation.classes if c.answered]
    if not answered:
        return "Coverage and selective risk of each class: no input is answered."
    least = min(evaluation.classes, key=lambda c: c.answered / max(c.size, 1))
    worst = max(answered, key=lambda c: c.errors / c.answered)
    return (
        f"Coverage and selective risk of each class under the default policy. Answered least often: {least.label}, "
        f"{least.answered} of {least.size}; most often wrong where answered: {worst.label}, {worst.errors} of "
        f"{worst.answered}."
    )


def _confusion(evaluation: Evaluation) -> str:
    names, off = evaluation.manifest.labels, evaluation.confusion.copy()
    for c in range(len(off)):
        off[c, c] = 0
    true, taken = divmod(int(off.argmax()), len(off))
    return (
        f"Confusion matrix of all report inputs. The most frequent confusion: {names[true]} taken for {names[taken]}, "
        f"{off[true, taken]} times."
    )


def _strangeness(evaluation: Evaluation) -> str:
    return (
        f"Histogram of ood_score for the {len(evaluation.report)} report inputs and the strange sets "
        f"{', '.join(strange.name for strange in evaluation.strange)}."
    )


def _abstained(evaluation: Evaluation) -> Picture:
    tiles = abstained.tiles(evaluation)
    alt = f"{len(tiles)} pictures on which the default policy abstains, with their reasons."
    return Picture("abstained.png", as_png(abstained.draw(tiles)), alt)
