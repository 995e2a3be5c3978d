"""The manifest of a model: a draft from the fit, then the same with certificates and measurements."""

import base64
from pathlib import Path

import numpy as np

from service.contract.certificates import Abstention
from service.contract.manifest import GoldenVectors, Manifest, Metrics, OperatingPoint, RiskCoverageCurve
from service.contract.policy import NeverAbstainPolicy, Policy
from service.contract.reference import Reference
from service.contract.training import Lift, Training
from service.inference.classifier import Scores
from training.certification.reference import reference
from training.data.dataset import Labelled, LabelledData
from training.data.splits import Splits
from training.publishing import provenance
from training.publishing.model import Model
from training.publishing.proof import Expected

GOLDEN_TOLERANCE = 1e-6  # for the kernels of another processor
_MAX_GOLDEN = 100_000  # probabilities: one vector for each of 27,000 classes would fill the file


def draft(
    dataset: LabelledData, splits: Splits, training: Training, model: Model, metrics: Metrics, expected: Expected
) -> Manifest:
    """The manifest of a model without certificates. `expected` are its scores of the report split.

    Its reference is a placeholder until `with_reference`: the real one needs the scores of a loaded file.
    """
    source = provenance.revision(Path(__file__).parent)
    data = splits.describe(dataset)
    scores = Scores(expected.probabilities, expected.probabilities.max(axis=1), expected.ood_score)
    return Manifest(
        name=dataset.name,
        labels=list(dataset.classes),
        input=model.encoder.kind,
        lift=None if model.regression.lift is None else Lift(components=model.regression.lift.components),
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


def with_reference(draft: Manifest, reference: Reference) -> Manifest:
    """The draft with the score distributions that the drift monitor compares later inputs with."""
    return Manifest(**dict(draft) | {"reference": reference})


def with_certificates(draft: Manifest, abstention: Abstention, default_policy: Policy) -> Manifest:
    """The draft with its certificates."""
    return Manifest(**dict(draft) | {"abstention": abstention, "default_policy": default_policy})


def with_measurements(
    draft: Manifest, points: list[OperatingPoint], curve: RiskCoverageCurve, warnings: list[str]
) -> Manifest:
    """The draft with the results of its policies and thresholds on the report split, and its warnings."""
    metrics = draft.metrics.model_copy(update={"operating_points": points, "risk_coverage": curve})
    return Manifest(**dict(draft) | {"metrics": metrics, "warnings": warnings})


def _golden(report: Labelled, expected: Expected) -> GoldenVectors:
    """The first report input of each class in it; of very many classes, of some of them."""
    _, first = np.unique(report.labels, return_index=True)
    first = first[: max(2, _MAX_GOLDEN // expected.probabilities.shape[1])]
    return GoldenVectors(
        inputs=base64.b64encode(report.read(first).tobytes()).decode(),
        probabilities=expected.probabilities[first].tolist(),
        ood_scores=expected.ood_score[first].tolist(),
        tolerance=GOLDEN_TOLERANCE,
    )
