"""All that is measured of a model on its report split, from the scores of the file itself. Nothing here decides."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import PredictionSets
from service.contract.manifest import Manifest, OperatingPoint
from service.contract.policy import NeverAbstainPolicy, ThresholdPolicy
from service.inference.classifier import Classifier, Scores
from service.inference.decision import Decision, decide
from service.inference.prediction_sets import members
from training.certification.scored import Scored, score
from training.data import Labelled
from training.data.splits import Splits
from training.errors import TrainingError
from training.reporting.evaluation import bootstrap, metrics, strange_inputs
from training.reporting.evaluation.bootstrap import Estimate
from training.reporting.evaluation.contradictions import contradictions
from training.reporting.evaluation.detection import Separation
from training.reporting.evaluation.operating_points import measure, policies
from training.reporting.evaluation.risk_coverage import RiskCoverage


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """One class under the default policy, seen from both sides."""

    label: str
    size: int  # report inputs that are of it
    answered: int  # of those
    errors: int  # among the answered
    given: int  # answers that say it
    wrong: int  # among the given


@dataclass(frozen=True, slots=True)
class StrangeSet:
    """One set of strange inputs, what the file makes of them, and how well each score tells them."""

    name: str
    inputs: NDArray[Any]  # [M, *row_shape]
    scores: Scores
    decisions: list[Decision]  # [M], by the default policy
    by_ood_score: Separation
    by_confidence: Separation  # by 1 - confidence
    turned_away: float  # share that the gate takes for out of distribution; 0 where there is no gate
    answered: float  # share that the default policy answers


@dataclass(frozen=True, slots=True)
class SetQuality:
    """One kind of prediction set."""

    promise: PredictionSets
    set_coverage: float  # share of sets that hold the true class
    answered_coverage: float | None  # of what the default policy answers; None where that is nothing
    abstained_coverage: float | None  # of what it abstains from
    mean_size: float
    abstained_mean_size: float | None
    singletons: float  # share of sets of one class
    least_label: str  # the class that is in its sets least often
    least_coverage: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model on its report split of N examples over C classes."""

    manifest: Manifest
    version: str
    inputs: NDArray[Any]  # [N, *row_shape]
    report: Scored
    decisions: list[Decision]  # [N], by the default policy
    points: list[OperatingPoint]
    curve: RiskCoverage
    risk_coverage: dict[str, Estimate]
    classes: list[ClassQuality]
    confusion: NDArray[np.int64]  # [C, C]: true class, likeliest class
    strange: list[StrangeSet]
    prediction_sets: list[SetQuality]
    false_alarms: int | None  # report inputs that the gate turns away; None where there is no gate
    contradictions: list[str]


def evaluate(classifier: Classifier, splits: Splits) -> Evaluation:
    """Measure a model on `splits.report`; `splits` as `reproduce` gives them."""
    manifest, inputs = classifier.manifest, splits.report.inputs
    report = score(classifier, splits.report)
    decisions = decide(report.scores, manifest.default_policy, manifest.abstention)
    points = [measure(report, policy, manifest.abstention) for policy in policies(manifest.abstention)]
    sets = manifest.abstention.prediction_sets if manifest.abstention else []
    return Evaluation(
        manifest=manifest,
        version=classifier.version,
        inputs=inputs,
        report=report,
        decisions=decisions,
        points=points,
        curve=RiskCoverage.of(report.scores.confidence, report.wrong),
        risk_coverage=bootstrap.risk_coverage(report.scores.confidence, report.wrong, report.units),
        classes=_classes(manifest.labels, report.labels, decisions),
        confusion=_confusion(report),
        strange=[_strange(classifier, report, *named) for named in strange_inputs.make(manifest.input, inputs).items()],
        prediction_sets=[_sets(report, _answers(decisions) >= 0, promise, manifest) for promise in sets],
        false_alarms=int(_outside(report.scores, manifest).sum()) if manifest.abstention else None,
        contradictions=contradictions(points, manifest.abstention, report),
    )


def check_stated(evaluation: Evaluation) -> None:
    """The quality that a manifest states is quoted, not measured again: so it must be what the file does.

    Raises TrainingError where its accuracy is another one.
    """
    manifest, report = evaluation.manifest, evaluation.report
    found = metrics.accuracy(report.scores.probabilities, report.labels)
    if found != manifest.metrics.accuracy:
        raise TrainingError(
            f"the file states an accuracy of {manifest.metrics.accuracy:.4f} on its report split, and has {found:.4f}"
        )


def _classes(names: list[str], labels: NDArray[np.int64], decisions: list[Decision]) -> list[ClassQuality]:
    answers = _answers(decisions)
    right = answers == labels
    return [
        ClassQuality(
            label=name,
            size=int((labels == c).sum()),
            answered=int(((labels == c) & (answers >= 0)).sum()),
            errors=int(((labels == c) & (answers >= 0) & ~right).sum()),
            given=int((answers == c).sum()),
            wrong=int(((answers == c) & ~right).sum()),
        )
        for c, name in enumerate(names)
    ]


def _answers(decisions: list[Decision]) -> NDArray[np.int64]:
    """The label of each decision, -1 where it abstains, `[N]`."""
    return np.array([-1 if d.label is None else d.label for d in decisions], dtype=np.int64)


def _confusion(report: Scored) -> NDArray[np.int64]:
    classes = report.scores.probabilities.shape[1]
    pairs = report.labels * classes + report.scores.probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def _strange(classifier: Classifier, report: Scored, name: str, inputs: NDArray[Any]) -> StrangeSet:
    manifest = classifier.manifest
    no_labels = np.zeros(len(inputs), dtype=np.int64)  # there is no right answer, and none is looked at
    scores = score(classifier, Labelled(name, inputs, no_labels)).scores
    decisions = decide(scores, manifest.default_policy, manifest.abstention)
    return StrangeSet(
        name=name,
        inputs=inputs,
        scores=scores,
        decisions=decisions,
        by_ood_score=Separation.of(report.scores.ood_score, scores.ood_score),
        by_confidence=Separation.of(-report.scores.confidence, -scores.confidence),
        turned_away=float(_outside(scores, manifest).mean()),
        answered=float((_answers(decisions) >= 0).mean()),
    )


def _outside(scores: Scores, manifest: Manifest) -> NDArray[np.bool_]:
    """What the gate turns away, `[N]`, under every policy but `never_abstain`: all that threshold 0 leaves out."""
    everything = NeverAbstainPolicy() if manifest.abstention is None else ThresholdPolicy(threshold=0)
    return np.array([d.reason == "out_of_distribution" for d in decide(scores, everything, manifest.abstention)])


def _sets(report: Scored, answered: NDArray[np.bool_], promise: PredictionSets, manifest: Manifest) -> SetQuality:
    assert manifest.abstention is not None  # where the promise is from
    inside = members(report.scores, promise, manifest.abstention.out_of_distribution.threshold)  # [N, C]
    sizes, held = inside.sum(axis=1), inside[np.arange(len(report)), report.labels]
    names = enumerate(manifest.labels)
    by_class = {name: float(held[report.labels == c].mean()) for c, name in names if c in report.labels}
    least = min(by_class, key=by_class.__getitem__)
    return SetQuality(
        promise=promise,
        set_coverage=float(held.mean()),
        answered_coverage=_mean(held[answered]),
        abstained_coverage=_mean(held[~answered]),
        mean_size=float(sizes.mean()),
        abstained_mean_size=_mean(sizes[~answered]),
        singletons=float((sizes == 1).mean()),
        least_label=least,
        least_coverage=by_class[least],
    )


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None
