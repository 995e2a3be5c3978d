"""Is it always good to return the likeliest label? The gain of abstaining, with and without a promise."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from exercises.exercise import Findings, Settings
from service.contract.certificates import RiskCertificate
from service.inference.classifier import Scores
from service.inference.decision import cheapest, outcomes
from training.certification.scored import Scored
from training.data.opening import load
from training.fitting.recipes import TUNED
from training.job import Job, JobResult, run
from training.reporting.evaluation.operating_points import answers
from training.reporting.evaluation.operating_points import measure as operating_point
from training.reporting.evaluation.risk_coverage import RiskCoverage, risk_at_coverage
from training.reporting.pictures.palette import BLUE, GREY, ORANGE, SKY, VERMILION, open_frame

_MIN_COVERAGE = 0.1  # below it, a single error moves the curve

SEED = 0
SHARES = (0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
# As in docs/examples/cancer-costs.json: [answer][true], benign and malignant; and the cost of a doctor.
DIAGNOSIS_COSTS = ((0.0, 20.0), (1.0, 0.0))
DOCTOR_COST = 0.8


def measure(settings: Settings) -> Findings:
    """All numbers of the page, for the model of the training job; a quick run measures the same."""
    dataset = load(None, settings.data_dir, lambda _: None)
    with tempfile.TemporaryDirectory() as folder:
        job = Job(recipe="tuned", settings=TUNED, seed=SEED, device="cpu", out=Path(folder) / "model.onnx")
        outcome = run(job, dataset)
    report = outcome.report
    curve = RiskCoverage.of(report.scores.confidence, report.wrong)
    default_answers = _answers(outcome, report)
    values: dict[str, Any] = {
        "report_size": len(report),
        "risk": float(report.wrong.mean()),
        "at_coverage": {f"{share:g}": _risk(curve, share) for share in SHARES},
        "certified": {f"{c.selective_risk:g}": _certificate(outcome, report, c) for c in _certificates(outcome)},
        "confidence_level": _certificates(outcome)[0].confidence_level,
        "default_risk": outcome.manifest.default_policy.model_dump()["selective_risk"],
        "classes": _classes(dataset.classes, report.labels, default_answers),
        "worst": _without_worst(dataset.classes, report, curve),
        "diagnosis": _diagnosis(),
    }
    picture = _draw(curve, values["certified"], values["worst"], values["classes"])
    costs = {"fit_seconds": outcome.seconds}
    return Findings(values, costs, {"most-likely-label-coverage": picture})


def _certificates(outcome: JobResult) -> Sequence[RiskCertificate]:
    assert outcome.manifest.abstention is not None  # the tuned recipe has a calibration split
    return outcome.manifest.abstention.selective_risk


def _certificate(outcome: JobResult, report: Scored, certificate: RiskCertificate) -> dict[str, float | None]:
    """The promise on the calibration split, and the result on the report split."""
    point = operating_point(report, certificate.policy(), outcome.manifest.abstention)
    answered, errors = certificate.answered, certificate.errors
    return {
        "threshold": certificate.threshold,
        "calibration_coverage": certificate.coverage,
        "calibration_risk": errors / answered if answered and errors is not None else None,
        "risk_bound": certificate.risk_bound,
        "report_coverage": point.coverage,
        "report_risk": point.selective_risk,
    }


def _answers(outcome: JobResult, report: Scored) -> NDArray[np.int64]:
    """The default policy's answers, -1 where it abstains, `[N]`."""
    return answers(outcomes(report.scores, outcome.manifest.default_policy, outcome.manifest.abstention))


def _classes(
    names: Sequence[str], labels: NDArray[np.int64], answers: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """For each class the shares of right answers, wrong answers and abstentions under the default policy."""
    shares = {}
    for c, name in enumerate(names):
        own = answers[labels == c]
        right, abstained = float((own == c).mean()), float((own < 0).mean())
        shares[name] = {"right": right, "wrong": 1 - right - abstained, "abstained": abstained}
    return shares


def _without_worst(names: Sequence[str], report: Scored, curve: RiskCoverage) -> dict[str, Any]:
    """The rule that never answers the most missed class, against a threshold with the same coverage."""
    likeliest = report.scores.probabilities.argmax(axis=1)
    missed = [float((likeliest[report.labels == c] != c).mean()) for c in range(len(names))]
    worst = int(np.argmax(missed))
    answered = likeliest != worst
    own = report.labels == worst
    coverage = float(answered.mean())
    return {
        "label": names[worst],
        "missed": missed[worst],
        "share_of_errors": float((report.wrong & own).sum() / report.wrong.sum()),
        "said_wrongly": float(report.wrong[~answered].mean()),
        "coverage": coverage,
        "risk": float(report.wrong[answered].mean()),
        "own_answered": float(answered[own].mean()),
        "risk_by_threshold": _risk(curve, coverage),
    }


def _risk(curve: RiskCoverage, share: float) -> float:
    """The share of errors among the answered, at the highest threshold that answers at least this share."""
    return float(risk_at_coverage(curve.answered, curve.errors, share))


def _diagnosis() -> dict[str, float]:
    """The ranges of the probability of a malignant tumour for each answer of Chow's rule, by the serving code."""
    malignant = np.linspace(0, 1, 10_001)
    probabilities = np.stack([1 - malignant, malignant], axis=1).astype(np.float32)
    scores = Scores(probabilities, probabilities.max(axis=1), np.zeros(len(malignant), dtype=np.float32))
    answers, expected = cheapest(scores, DIAGNOSIS_COSTS)
    answered = expected <= DOCTOR_COST
    return {
        "missed_cost": DIAGNOSIS_COSTS[0][1],
        "alarm_cost": DIAGNOSIS_COSTS[1][0],
        "doctor_cost": DOCTOR_COST,
        "benign_up_to": float(malignant[answered & (answers == 0)].max()),
        "malignant_from": float(malignant[answered & (answers == 1)].min()),
    }


def _draw(
    curve: RiskCoverage,
    certified: Mapping[str, Mapping[str, float | None]],
    worst: Mapping[str, Any],
    classes: Mapping[str, Mapping[str, float]],
) -> Figure:
    """Left: accuracy over coverage, with the promises. Right: right, wrong and withheld answers by class."""
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
    shown = curve.coverage >= _MIN_COVERAGE
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
