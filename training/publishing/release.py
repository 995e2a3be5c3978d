"""From fitted weights to a published file: temperature, quality, certificates, proof and publication.

Every kind of model takes the same way: an encoder that makes features, a softmax regression on them, and the splits.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from service.contract.certificates import Abstention
from service.contract.files import check_place, publish
from service.contract.manifest import Manifest
from service.contract.policy import Policy
from service.contract.training import Training
from service.inference.classifier import Classifier, Scores
from training.certification.certify import certify
from training.certification.default_policy import uncertified_default
from training.certification.principal_components import PrincipalComponents
from training.certification.reference import reference
from training.certification.samples import largest_group_size
from training.certification.scored import Scored, score
from training.certification.settings import AbstentionSettings
from training.certification.temperature import fit_temperature, pays
from training.data.dataset import Labelled, LabelledData
from training.data.encoders import Encoder
from training.data.splits import Splits
from training.errors import GateError
from training.fitting.principal_axes import PrincipalAxes, sample
from training.fitting.regression import SoftmaxRegression
from training.publishing import manifest
from training.publishing.export import to_onnx
from training.publishing.model import Model, logits_of, probabilities
from training.publishing.proof import Expected, load_draft, prove_export
from training.reporting.evaluation.contradictions import contradictions
from training.reporting.evaluation.operating_points import curve, measure, policies
from training.reporting.evaluation.quality import measure_quality

_MAX_FOR_BINS = 10_000  # training examples


@dataclass(frozen=True, slots=True)
class ReleaseOptions:
    """Where to publish, what to certify, and the accuracy on the report split below which nothing is published."""

    out: Path
    abstention: AbstentionSettings = field(default_factory=AbstentionSettings)
    min_accuracy: float | None = None

    def check(self) -> None:
        """Raise TrainingError where nothing can be published: before a fit, not after it."""
        check_place(self.out)


@dataclass(frozen=True, slots=True)
class FittedModel:
    """The result of a fit: all that the graph needs except the temperature and the gate."""

    encoder: Encoder
    regression: SoftmaxRegression  # float32, on the CPU
    training: Training  # how it was fitted, for the manifest
    axes: PrincipalAxes | None = None  # those of the lift, where the regression has one
    temperature: float | None = None  # where it was chosen with the settings


@dataclass(frozen=True, slots=True)
class Release:
    """The published file, loaded and proved."""

    classifier: Classifier
    report: Scored  # the file's own scores of the report split
    difference: float  # largest difference in a probability between torch and the file


def release(fitted: FittedModel, dataset: LabelledData, splits: Splits, options: ReleaseOptions) -> Release:
    """Calibrate, measure, certify, prove, and publish. Raises TrainingError, and then nothing was published.

    Torch scores the report split once, for the quality and for the proof. The file scores it twice: as a draft, for the
    operating points that the manifest holds, and as it is published, for the proof.

    The scores of a split are held for all classes at once: 4 bytes for each example of `calibration` and `report` and
    each class, and a few times 8 bytes for `tune` and `report`.
    """
    components = _components(fitted, splits.train)
    temperature = _temperature(fitted, splits)
    model = Model(fitted.encoder, fitted.regression, temperature, components, fitted.axes)
    logits, ood_score = _logits_and_ood_scores(fitted, components, splits.report)
    metrics = measure_quality(logits, splits.report.labels, temperature)
    if options.min_accuracy is not None and metrics.accuracy < options.min_accuracy:
        raise GateError(
            f"accuracy {metrics.accuracy:.4f} on the report split is under "
            f"--min-accuracy {options.min_accuracy:g}: nothing was published"
        )
    expected = Expected(probabilities(logits, temperature), ood_score)
    del logits  # 8 bytes for each example and class
    draft = manifest.draft(dataset, splits, fitted.training, model, metrics, expected)
    # The graph that is scored here is the graph that is published. Later steps change the metadata only.
    classifier = load_draft(to_onnx(model, draft))
    report = score(classifier, splits.report)
    if splits.calibration is not None:
        draft = _certified(model, draft, classifier, splits, splits.calibration, options.abstention)
    else:  # then tune and report are the same images
        train = score(classifier, _first(splits.train, _MAX_FOR_BINS))
        draft = manifest.with_reference(draft, reference("report", report.fingerprint, report.scores, train.scores))
    content = to_onnx(model, _measured(draft, report))
    blocks = splits.report.blocks(len(dataset.classes))
    proof = publish(content, options.out, lambda path: prove_export(path, blocks, expected))
    return Release(proof.classifier, replace(report, scores=proof.scores), proof.difference)


@dataclass(frozen=True, slots=True)
class TuneScores:
    """What is known of a model before its calibration split is used."""

    scored: Scored  # the tune split, by torch
    largest_group: int  # rows of the largest group of train


def score_tune(fitted: FittedModel, splits: Splits) -> TuneScores:
    """Score the tune split, and no other, for a recipe that has a calibration split.

    The file's scores would differ from torch's by no more than its proof allows.
    """
    tune = splits.tune
    logits, ood_score = _logits_and_ood_scores(fitted, _components(fitted, splits.train), tune)
    p = probabilities(logits, _choose_temperature(fitted, logits, tune))
    scores = Scores(p, p.max(axis=1), ood_score)
    scored = Scored(scores, tune.labels, tune.source, tune.fingerprint(), tune.groups)
    return TuneScores(scored, largest_group_size(splits.train.groups))


def _temperature(fitted: FittedModel, splits: Splits) -> float:
    """1 for the chapter's recipe: its tune split is the test images, which may not choose one."""
    if splits.calibration is None:
        return 1.0
    return _choose_temperature(fitted, _logits(fitted, splits.tune), splits.tune)


def _choose_temperature(fitted: FittedModel, logits: torch.Tensor, tune: Labelled) -> float:
    """Fitted on tune, unless it was chosen with the settings; for `auto` 1 where that is as good.

    That is, within a standard error. Its weight decay was chosen for the same loss, so 1 is near the best; a
    temperature of few rows is further from it.
    """
    if fitted.temperature is not None:
        return fitted.temperature
    temperature = fit_temperature(logits, tune.labels)
    return temperature if fitted.training.recipe != "auto" or pays(temperature, logits, tune.labels) else 1.0


def _logits(fitted: FittedModel, part: Labelled) -> torch.Tensor:
    """Float64 `[N, C]`, before the temperature."""
    logits = logits_of(fitted.regression)
    return torch.cat([logits(fitted.encoder.features(block, torch.float64)) for block in _blocks(fitted, part)])


def _blocks(fitted: FittedModel, part: Labelled) -> Iterator[NDArray[Any]]:
    """Blocks of inputs, few enough to hold the logits, and with a lift a number for each class and coordinate."""
    lift = fitted.regression.lift
    return part.blocks(len(fitted.regression.biases) * (1 if lift is None else lift.components))


def _logits_and_ood_scores(
    fitted: FittedModel, components: PrincipalComponents, part: Labelled
) -> tuple[torch.Tensor, NDArray[np.float32]]:
    """Float64 `[N, C]`, before the temperature, and float32 `[N]`, from the same features."""
    logits_of_features = logits_of(fitted.regression)
    logits, ood_scores = [], []
    for block in _blocks(fitted, part):
        features = fitted.encoder.features(block, torch.float64)
        logits.append(logits_of_features(features))
        ood_scores.append(components.score(features).float())
    return torch.cat(logits), torch.cat(ood_scores).numpy()


def _components(fitted: FittedModel, train: Labelled) -> PrincipalComponents:
    return PrincipalComponents.fit(sample(fitted.encoder, train), fitted.encoder.full_scale, fitted.axes)


def _first(part: Labelled, count: int) -> Labelled:
    return part.take(np.arange(min(count, len(part))))


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
    drift_reference = reference("calibration", calibrated.fingerprint, calibrated.scores, tuned.scores)
    abstention = certify(tuned, calibrated, model.components, settings, largest_group_size(splits.train.groups))
    draft = manifest.with_reference(draft, drift_reference)
    return manifest.with_certificates(draft, abstention, _default_policy(abstention, settings))


def _measured(draft: Manifest, report: Scored) -> Manifest:
    """The draft with its operating points on the report split, and its warnings."""
    abstention = draft.abstention
    points = [measure(report, policy, abstention) for policy in policies(abstention)]
    warnings = contradictions(points, abstention, report)
    sizes = {name: part.size for name, part in draft.data.splits.items()}
    if (default := uncertified_default(draft.default_policy, abstention, sizes)) is not None:
        warnings = [*warnings, default]
    return manifest.with_measurements(draft, points, curve(report, abstention), warnings)


def _default_policy(abstention: Abstention, settings: AbstentionSettings) -> Policy:
    return next(c.policy() for c in abstention.selective_risk if c.selective_risk == settings.default_risk)
