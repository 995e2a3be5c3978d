"""From fitted weights to a published file: temperature, quality, certificates, proof and publication.

It is the same way for every kind of model: it takes what makes features, a softmax regression on them, and the splits.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from service.contract.certificates import Abstention
from service.contract.files import check_place, publish
from service.contract.manifest import Manifest, Training
from service.contract.policy import Policy
from service.inference.classifier import Classifier, Scores
from training.certification.certify import certify
from training.certification.principal_components import PrincipalComponents
from training.certification.reference import reference
from training.certification.samples import largest_group_size
from training.certification.scored import Scored, score
from training.certification.settings import AbstentionSettings
from training.certification.temperature import fit_temperature
from training.data import Labelled, LabelledData
from training.data.encoders import Encoder
from training.data.encoders.encoder import Encoded
from training.data.splits import Splits
from training.errors import GateError
from training.fitting.regression import SoftmaxRegression
from training.publishing import manifest
from training.publishing.export import to_onnx
from training.publishing.model import Model
from training.publishing.proof import Expected, load_draft, prove_export
from training.reporting.evaluation.contradictions import contradictions
from training.reporting.evaluation.operating_points import curve, measure, policies
from training.reporting.evaluation.quality import measure_quality

_MOST_FOR_BINS = 10_000  # training examples
_MOST_FOR_COMPONENTS = 50_000  # examples; more would move the components by nothing that matters
_LARGEST_FOR_COMPONENTS = 2**26  # features of those, 256 MB


@dataclass(frozen=True, slots=True)
class Terms:
    """Where to publish, what to certify, and under which accuracy on the report split not to publish."""

    out: Path
    abstention: AbstentionSettings = field(default_factory=AbstentionSettings)
    min_accuracy: float | None = None

    def check(self) -> None:
        """Raise TrainingError where they cannot be kept: before a fit, not after it."""
        check_place(self.out)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit leaves: all that the graph needs but the temperature and the gate."""

    encoder: Encoder
    regression: SoftmaxRegression  # float32, on the CPU
    training: Training  # how it came about, for the manifest


@dataclass(frozen=True, slots=True)
class Released:
    """The published file."""

    classifier: Classifier  # loaded from it, and proved
    difference: float  # largest difference in a probability between torch and the file


def release(fitted: Fitted, dataset: LabelledData, splits: Splits, terms: Terms) -> Released:
    """Calibrate, measure, certify, prove, and publish. Raises TrainingError, and then nothing was published.

    The scores of a split are held for all classes at once: 4 bytes for each example of `calibration` and `report` and
    each class, and some times 8 for `tune` and `report`.
    """
    model = _model(fitted, splits)
    metrics = measure_quality(_logits(fitted, splits.report), splits.report.labels, model.temperature)
    if terms.min_accuracy is not None and metrics.accuracy < terms.min_accuracy:
        raise GateError(
            f"accuracy {metrics.accuracy:.4f} on the report split is under "
            f"--min-accuracy {terms.min_accuracy:g}: nothing was published"
        )
    expected = _expected(model, splits.report)
    stated = manifest.draft(dataset, splits, fitted.training, model, metrics, expected)
    # The graph that is scored here is the graph that is published: what else is found is kept in the metadata.
    scored = load_draft(to_onnx(model, stated))
    if splits.calibration is not None:
        stated = _certified(model, stated, scored, splits, splits.calibration, terms.abstention)
    report = score(scored, splits.report)
    if splits.calibration is None:  # then tune and report are the same images
        stated = _compared(stated, report, score(scored, _first(splits.train, _MOST_FOR_BINS)))
    stated = _measured(stated, report)
    classifier, difference = publish(
        to_onnx(model, stated),
        terms.out,
        lambda draft: prove_export(draft, splits.report.blocks(len(dataset.classes)), expected),
    )
    return Released(classifier, difference)


@dataclass(frozen=True, slots=True)
class Tuned:
    """What is known of a model before its calibration split is looked at."""

    scored: Scored  # the tune split, by torch
    largest_group: int  # rows of the largest group of train


def tuned(fitted: Fitted, splits: Splits) -> Tuned:
    """Score the tune split, and no other. The file's scores differ from torch's by no more than its proof allows."""
    model, tune = _model(fitted, splits), splits.tune
    found = _expected(model, tune)
    scores = Scores(found.probabilities, found.probabilities.max(axis=1), found.ood_score)
    scored = Scored(scores, tune.labels, tune.source, tune.fingerprint(), tune.groups)
    return Tuned(scored, largest_group_size(splits.train.groups))


def _model(fitted: Fitted, splits: Splits) -> Model:
    components = _components(fitted.encoder, splits.train)
    return Model(fitted.encoder, fitted.regression, _temperature(fitted, splits), components)


def _logits(fitted: Fitted, part: Labelled) -> torch.Tensor:
    """In float64 `[N, C]`, without a temperature."""
    wide = fitted.regression.to(dtype=torch.float64)
    blocks = part.blocks(len(wide.biases))
    return torch.cat([wide.logits(fitted.encoder.features(block, torch.float64)) for block in blocks])


def _temperature(fitted: Fitted, splits: Splits) -> float:
    """1 for the chapter's recipe: its tune split is the test images, which may not choose one."""
    if splits.calibration is None:
        return 1.0
    return fit_temperature(_logits(fitted, splits.tune), splits.tune.labels)


def _components(encoder: Encoder, train: Labelled) -> PrincipalComponents:
    """Of the first training examples, as many as fit into memory: their order is a draw."""
    count = max(2, min(_MOST_FOR_COMPONENTS, _LARGEST_FOR_COMPONENTS // encoder.width))
    return PrincipalComponents.fit(Encoded(_first(train, count), encoder), encoder.full_scale)


def _first(part: Labelled, count: int) -> Labelled:
    return part.take(np.arange(min(count, len(part))))


def _expected(model: Model, part: Labelled) -> Expected:
    """What the exported file must say of a split."""
    blocks = part.blocks(len(model.regression.biases))
    scores = [(model.probabilities(block), model.ood_score(block)) for block in blocks]
    return Expected(*(np.concatenate(column) for column in zip(*scores, strict=True)))


def _certified(
    model: Model,
    draft: Manifest,
    classifier: Classifier,
    splits: Splits,
    calibration: Labelled,
    settings: AbstentionSettings,
) -> Manifest:
    """The draft with its certificates and its reference, made from the scores of the exported file itself."""
    tuned, calibrated = score(classifier, splits.tune), score(classifier, calibration)
    seen = reference("calibration", calibrated.fingerprint, calibrated.scores, tuned.scores)
    abstention = certify(tuned, calibrated, model.components, settings, largest_group_size(splits.train.groups))
    return manifest.certified(manifest.compared(draft, seen), abstention, _default_policy(abstention, settings))


def _compared(draft: Manifest, report: Scored, train: Scored) -> Manifest:
    """The draft with a reference of the report split, for a model without a calibration split."""
    return manifest.compared(draft, reference("report", report.fingerprint, report.scores, train.scores))


def _measured(stated: Manifest, report: Scored) -> Manifest:
    """With what it comes to on the report split, and a warning for each promise that the split contradicts."""
    abstention = stated.abstention
    points = [measure(report, policy, abstention) for policy in policies(abstention)]
    return manifest.measured(stated, points, curve(report, abstention), contradictions(points, abstention, report))


def _default_policy(abstention: Abstention, settings: AbstentionSettings) -> Policy:
    wanted = settings.default_risk
    return next(c.policy() for c in abstention.selective_risk if c.selective_risk == wanted)
