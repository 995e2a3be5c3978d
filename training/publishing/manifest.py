"""What the file will say of itself: a draft from the fit, and the same with its certificates."""

import base64
from pathlib import Path

import numpy as np

from service.contract.certificates import Abstention
from service.contract.manifest import GoldenVectors, Manifest, Metrics, OperatingPoint, RiskCoverageCurve, Training
from service.contract.policy import NeverAbstainPolicy, Policy
from service.contract.reference import Reference
from service.inference.classifier import Scores
from training.certification.reference import reference
from training.data import Labelled, LabelledData
from training.data.splits import Splits
from training.publishing import provenance
from training.publishing.model import Model
from training.publishing.proof import Expected

GOLDEN_TOLERANCE = 1e-6  # of another processor's kernels
_MOST_GOLDEN = 100_000  # probabilities; with those of 27,000 classes for each of them the file would be full


def draft(
    dataset: LabelledData, splits: Splits, training: Training, model: Model, metrics: Metrics, expected: Expected
) -> Manifest:
    """The manifest of a model that promises nothing yet. `expected` is what it says of the report split.

    Its reference holds the place of the one for `compared`, which needs scores that only a loaded file can give.
    """
    source = provenance.revision(Path(__file__).parent)
    data = splits.describe(dataset)
    scores = Scores(expected.probabilities, expected.probabilities.max(axis=1), expected.ood_score)
    return Manifest(
        name=dataset.name,
        labels=list(dataset.classes),
        input=model.encoder.kind,
        temperature=model.temperature,
        default_policy=NeverAbstainPolicy(),
        abstention=None,
        reference=reference("report", data.splits["report"].fingerprint, scores, scores),
        training=training,
        data=data,
        metrics=metrics,
        warnings=[],
        versions=provenance.library_versions(),
        git_revision=source.name if source else None,
        created_at=provenance.created_at(source),
        golden=_golden(splits.report, expected),
    )


def compared(draft: Manifest, reference: Reference) -> Manifest:
    """The draft with what later inputs are compared with."""
    return Manifest(**dict(draft) | {"reference": reference})


def certified(draft: Manifest, abstention: Abstention, default_policy: Policy) -> Manifest:
    """The draft with its certificates."""
    return Manifest(**dict(draft) | {"abstention": abstention, "default_policy": default_policy})


def measured(draft: Manifest, points: list[OperatingPoint], curve: RiskCoverageCurve, warnings: list[str]) -> Manifest:
    """The draft with what its policies and thresholds came to on the report split, and the promises it contradicts."""
    found = {"operating_points": points, "risk_coverage": curve}
    return Manifest(**dict(draft) | {"metrics": draft.metrics.model_copy(update=found), "warnings": warnings})


def _golden(report: Labelled, expected: Expected) -> GoldenVectors:
    """The first report input of each class that is there; of very many classes, of some."""
    _, first = np.unique(report.labels, return_index=True)
    first = first[: max(2, _MOST_GOLDEN // expected.probabilities.shape[1])]
    return GoldenVectors(
        inputs=base64.b64encode(report.read(first).tobytes()).decode(),
        probabilities=expected.probabilities[first].tolist(),
        ood_scores=expected.ood_score[first].tolist(),
        tolerance=GOLDEN_TOLERANCE,
    )
