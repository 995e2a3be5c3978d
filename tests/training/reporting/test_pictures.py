"""The pictures show the measured values."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.reporting.evaluation.evaluation import Evaluation
from training.reporting.pictures import abstained, classes, reliability, risk_coverage, strangeness


def _labels(axes: Axes) -> tuple[str, str]:
    return axes.get_xlabel(), axes.get_ylabel()


def test_risk_coverage_shows_curve_ideal_and_certificates(evaluation: Evaluation) -> None:
    (axes,) = risk_coverage.draw(evaluation).axes
    assert _labels(axes) == (
        "coverage: share of the inputs answered (%)",
        "selective risk: share of errors among the answers (%)",
    )
    curve, ideal, certified = axes.lines
    np.testing.assert_array_equal(np.asarray(curve.get_ydata()), evaluation.curve.selective_risk)
    np.testing.assert_array_equal(np.asarray(ideal.get_ydata()), evaluation.curve.ideal_risk)
    assert evaluation.manifest.abstention is not None
    expected = [
        (c.coverage, c.selective_risk) for c in evaluation.manifest.abstention.selective_risk if c.status == "certified"
    ]
    assert np.asarray(certified.get_xydata()).tolist() == [list(map(float, filter(None, point))) for point in expected]


def test_reliability_counts_every_input(evaluation: Evaluation) -> None:
    diagram, histogram = reliability.draw(evaluation).axes
    counts = [int(text.get_text()) for text in histogram.texts]
    assert sum(counts) == 5000
    assert diagram.get_ylabel() == "accuracy (%)"
    assert _labels(histogram) == ("confidence: the largest probability, mean of the bin (%)", "inputs")


def test_classes_are_named(evaluation: Evaluation) -> None:
    coverage, risk = classes.draw(evaluation).axes
    assert [label.get_text() for label in coverage.get_yticklabels()] == evaluation.manifest.labels
    assert [patch.get_width() for patch in coverage.patches] == pytest.approx(  # type: ignore[attr-defined]
        [c.answered / c.size for c in evaluation.classes]
    )
    assert risk.get_xlabel() == "selective risk: share of errors (%)"


def test_confusion_shows_the_counts(evaluation: Evaluation) -> None:
    axes = classes.draw_confusion(evaluation).axes[0]
    assert [int(text.get_text()) for text in axes.texts] == evaluation.confusion.ravel().tolist()
    assert _labels(axes) == ("likeliest class", "true class")


def _legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_out_of_distribution_picture_shows_every_set_and_the_threshold(evaluation: Evaluation) -> None:
    figure = strangeness.draw(evaluation)
    assert evaluation.manifest.abstention is not None
    threshold = evaluation.manifest.abstention.out_of_distribution.threshold
    assert _legend(figure) == [
        *("report split", "uniform noise", "Gaussian noise", "inverted", "bars"),
        *("all white (one picture)", "all black (one picture)", "pixel-shuffled", f"threshold {threshold:.3f}"),
    ]
    assert threshold in {float(np.asarray(line.get_xdata())[0]) for line in figure.axes[0].lines}


def test_sheet_shows_reasons_and_strange_inputs(evaluation: Evaluation) -> None:
    shown = abstained.tiles(evaluation)
    assert {tile.reason for tile in shown} == {"low_confidence", "out_of_distribution"}
    assert [tile.truth for tile in shown if tile.truth.startswith("strange: ")] == [
        f"strange: {strange.name}" for strange in evaluation.strange
    ]
    figure = abstained.draw(shown)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == f"{shown[0].reason}\n{shown[0].truth}\ntop: {shown[0].top} {shown[0].confidence:.3f}"
    assert len(titles) >= len(shown) == 28


def test_sheet_states_that_a_policy_never_abstains(tiny_evaluation: Evaluation) -> None:
    (text,) = abstained.draw(abstained.tiles(tiny_evaluation)).texts
    assert text.get_text() == "The default policy abstains on no input."
