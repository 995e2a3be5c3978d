"""Every measurement of a model on its report split, from the scores of the file itself. None decides anything."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import PredictionSets
from service.contract.manifest import Manifest, OperatingPoint
from service.contract.policy import NeverAbstainPolicy, ThresholdPolicy
from service.inference.classifier import Classifier, Scores
from service.inference.decision import ANSWERED, REASONS, Outcomes, outcomes
from service.inference.prediction_sets import members
from training.certification.scored import Scored, score
from training.data.dataset import Labelled
from training.data.splits import Splits
from training.errors import TrainingError
from training.reporting.evaluation import bootstrap, metrics, strange_inputs
from training.reporting.evaluation.bootstrap import Estimate
from training.reporting.evaluation.contradictions import contradictions
from training.reporting.evaluation.detection import Separation
from training.reporting.evaluation.operating_points import answers, measure, policies
from training.reporting.evaluation.risk_coverage import RiskCoverage


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """One class under the default policy: its inputs, and the answers that name it."""

    label: str
    size: int  # report inputs of the class
    answered: int  # of those inputs
    errors: int  # among those answers
    given: int  # answers that name the class
    wrong: int  # among those answers


@dataclass(frozen=True, slots=True)
class StrangeSet:
    """One set of strange inputs, the file's scores of them, and how well each score separates them."""

    name: str
    inputs: NDArray[Any]  # [M, *row_shape]
    scores: Scores
    outcomes: Outcomes  # of the default policy
    by_ood_score: Separation
    by_confidence: Separation  # by 1 - confidence
    flagged: float  # share that the gate takes for out of distribution; 0 where there is no gate
    answered: float  # share that the default policy answers


@dataclass(frozen=True, slots=True)
class SetQuality:
    """One kind of prediction set."""

    promise: PredictionSets
    set_coverage: float  # share of sets that hold the true class
    answered_coverage: float | None  # over the inputs that the default policy answers; None where it answers none
    abstained_coverage: float | None  # over those it abstains on
    mean_size: float
    abstained_mean_size: float | None
    singletons: float  # share of sets of one class
    least_label: str  # the class with the lowest set coverage
    least_coverage: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model on its report split of N examples over C classes."""

    manifest: Manifest
    version: str
    inputs: NDArray[Any]  # [N, *row_shape]
    report: Scored
    outcomes: Outcomes  # of the default policy
    points: list[OperatingPoint]
    curve: RiskCoverage
    risk_coverage: dict[str, Estimate]
    classes: list[ClassQuality]
    confusion: NDArray[np.int64]  # [C, C]: true class, likeliest class
    strange: list[StrangeSet]
    prediction_sets: list[SetQuality]
    false_alarms: int | None  # report inputs that the gate flags; None where there is no gate
    contradictions: list[str]


def evaluate(classifier: Classifier, splits: Splits, report: Scored | None = None) -> Evaluation:
    """Measure a model on `splits.report`; `splits` as `reproduce` gives them.

    `report` are the file's scores of it, where the caller has them already.
    """
    manifest, inputs = classifier.manifest, splits.report.inputs
    if report is None:
        report = score(classifier, splits.report)
    abstention = manifest.abstention
    points = [measure(report, policy, abstention) for policy in policies(abstention)]
    by_default = outcomes(report.scores, manifest.default_policy, abstention)
    strange = strange_inputs.make(manifest.input, inputs)
    return Evaluation(
        manifest=manifest,
        version=classifier.version,
        inputs=inputs,
        report=report,
        outcomes=by_default,
        points=points,
        curve=RiskCoverage.of(report.scores.confidence, report.wrong),
        risk_coverage=bootstrap.risk_coverage(report.scores.confidence, report.wrong, report.groups),
        classes=_classes(manifest.labels, report.labels, answers(by_default)),
        confusion=_confusion(report),
        strange=[_strange(classifier, report, name, images) for name, images in strange.items()],
        prediction_sets=[
            _sets(report, by_default.reasons == ANSWERED, promise, manifest)
            for promise in (abstention.prediction_sets if abstention else [])
        ],
        false_alarms=int(_flagged(report.scores, manifest).sum()) if abstention else None,
        contradictions=contradictions(points, abstention, report),
    )


def check_stated(evaluation: Evaluation) -> None:
    """Raise TrainingError where the file's accuracy is not the one in its manifest.

    Reports quote the quality in the manifest and do not measure it again.
    """
    manifest, report = evaluation.manifest, evaluation.report
    accuracy = metrics.accuracy(report.scores.probabilities, report.labels)
    if accuracy != manifest.metrics.accuracy:
        raise TrainingError(
            f"the manifest states an accuracy of {manifest.metrics.accuracy:.4f} on the report split, and the file has "
            f"{accuracy:.4f}"
        )


def _classes(names: list[str], labels: NDArray[np.int64], answered: NDArray[np.int64]) -> list[ClassQuality]:
    right = answered == labels
    return [
        ClassQuality(
            label=name,
            size=int((labels == c).sum()),
            answered=int(((labels == c) & (answered >= 0)).sum()),
            errors=int(((labels == c) & (answered >= 0) & ~right).sum()),
            given=int((answered == c).sum()),
            wrong=int(((answered == c) & ~right).sum()),
        )
        for c, name in enumerate(names)
    ]


def _confusion(report: Scored) -> NDArray[np.int64]:
    classes = report.scores.probabilities.shape[1]
    pairs = report.labels * classes + report.scores.probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def _strange(classifier: Classifier, report: Scored, name: str, inputs: NDArray[Any]) -> StrangeSet:
    manifest = classifier.manifest
    blocks = Labelled(name, inputs, np.zeros(len(inputs), dtype=np.int64)).blocks(len(manifest.labels))
    scores = Scores.joined(classifier.scores(block) for block in blocks)
    by_default = outcomes(scores, manifest.default_policy, manifest.abstention)
    return StrangeSet(
        name=name,
        inputs=inputs,
        scores=scores,
        outcomes=by_default,
        by_ood_score=Separation.of(report.scores.ood_score, scores.ood_score),
        by_confidence=Separation.of(-report.scores.confidence, -scores.confidence),
        flagged=float(_flagged(scores, manifest).mean()),
        answered=float((by_default.reasons == ANSWERED).mean()),
    )


def _flagged(scores: Scores, manifest: Manifest) -> NDArray[np.bool_]:
    """Where the gate flags an input, `[N]`: at threshold 0 every abstention is the gate's."""
    everything = NeverAbstainPolicy() if manifest.abstention is None else ThresholdPolicy(threshold=0)
    reasons = outcomes(scores, everything, manifest.abstention).reasons
    flagged: NDArray[np.bool_] = reasons == REASONS.index("out_of_distribution")
    return flagged


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
