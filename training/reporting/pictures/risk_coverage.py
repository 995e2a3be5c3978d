"""The risk-coverage curve with the certified points."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from service.contract.certificates import RiskCertificate
from training.reporting.evaluation.evaluation import Evaluation
from training.reporting.numbers import round_percent
from training.reporting.pictures.palette import BLUE, GREY, VERMILION, open_frame


def draw(evaluation: Evaluation) -> Figure:
    """Selective risk over coverage on `report`, the ideal curve, and each promise at its coverage on `calibration`."""
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    curve = evaluation.curve
    axes.plot(curve.coverage, curve.selective_risk, color=BLUE, label="this model, on the report split")
    axes.plot(
        curve.coverage,
        curve.ideal_risk,
        color=GREY,
        linestyle="--",
        label="ideal: all right examples before all errors",
    )
    if evaluation.manifest.abstention is not None:
        _mark(axes, [c for c in evaluation.manifest.abstention.selective_risk if c.status == "certified"])
    axes.set_xlabel("coverage: share of the inputs answered (%)")
    axes.set_ylabel("selective risk: share of errors among the answers (%)")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=None))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=None))
    axes.set_xlim(0, 1.01)
    axes.set_ylim(bottom=0)
    open_frame(axes)
    axes.legend(frameon=False, loc="best")
    return figure


def _mark(axes: Axes, certificates: list[RiskCertificate]) -> None:
    if not certificates:
        return
    coverage = [c.coverage or 0.0 for c in certificates]
    promised = [c.selective_risk for c in certificates]
    axes.plot(
        coverage,
        promised,
        color=VERMILION,
        marker="D",
        linestyle="none",
        label="certified: promised risk, at its coverage on the calibration split",
    )
    for x, y in zip(coverage, promised, strict=True):
        axes.annotate(round_percent(y), (x, y), xytext=(-6, 4), textcoords="offset points", ha="right", fontsize=9)
