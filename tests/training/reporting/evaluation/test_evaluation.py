"""Evaluation of the tiny model by hand, and of the trained one against its manifest."""

from pathlib import Path

import numpy as np
import pytest

from service.contract.policy import SelectiveRiskPolicy, ThresholdPolicy
from service.inference.classifier import Classifier
from service.inference.decision import ANSWERED, REASONS, decide
from tests import tiny
from tests.training.conftest import tiny_splits
from training.errors import TrainingError
from training.reporting.evaluation.evaluation import ClassQuality, Evaluation, check_stated, evaluate
from training.reporting.evaluation.operating_points import curve, measure


def test_tiny_model_by_hand(tiny_evaluation: Evaluation) -> None:
    """Its default is never_abstain; confidences 1/3, 9/11, 9/11, 9/19; only the last is wrong."""
    evaluation = tiny_evaluation
    assert evaluation.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert evaluation.curve.answered.tolist() == [2, 3, 4]
    assert evaluation.curve.errors.tolist() == [0, 1, 1]
    assert evaluation.risk_coverage["aurc"].value == pytest.approx(1 / 4 * 1 / 3 + 1 / 4 * 1 / 4)
    assert evaluation.classes == [
        ClassQuality("dark", size=1, answered=1, errors=0, given=1, wrong=0),
        ClassQuality("left", size=1, answered=1, errors=0, given=2, wrong=1),
        ClassQuality("right", size=2, answered=2, errors=1, given=1, wrong=0),
    ]
    assert evaluation.false_alarms == 0
    lac, by_class = evaluation.prediction_sets
    # At 0.4: dark alone, as the likeliest; left; right; left and right. All hold the true class.
    assert (lac.set_coverage, lac.mean_size, lac.singletons) == (1.0, 1.25, 0.75)
    assert (lac.least_label, lac.least_coverage) == ("dark", 1.0)
    assert (lac.answered_coverage, lac.abstained_coverage, lac.abstained_mean_size) == (1.0, None, None)
    # At 0.05, 0.4, 0.5: dark is in every set but is not likeliest in the last, where right is under 0.5.
    assert (by_class.set_coverage, by_class.mean_size) == (0.75, 1.75)
    assert (by_class.least_label, by_class.least_coverage) == ("right", 0.5)


def test_tighter_gate_rejects_inputs_of_its_own_split(tmp_path: Path) -> None:
    evaluation = evaluate(Classifier.load(tiny.write(tmp_path, ood_threshold=2.0)), tiny_splits([0, 1, 2, 2]))
    assert evaluation.false_alarms == 1
    white = next(strange for strange in evaluation.strange if strange.name == "all white")
    assert white.flagged == 1.0
    assert white.answered == 1.0  # the default policy, never_abstain, ignores the gate


def test_default_policy_shapes_the_classes(evaluation: Evaluation) -> None:
    manifest = evaluation.manifest
    assert isinstance(manifest.default_policy, SelectiveRiskPolicy)
    point = next(p for p in evaluation.points if p.policy == manifest.default_policy)
    answered, errors = sum(c.answered for c in evaluation.classes), sum(c.errors for c in evaluation.classes)
    given, wrong = sum(c.given for c in evaluation.classes), sum(c.wrong for c in evaluation.classes)
    assert (answered, errors) == (given, wrong) == (point.answered, point.errors)
    assert sum(c.size for c in evaluation.classes) == 5000


def test_points_equal_those_of_the_manifest(evaluation: Evaluation) -> None:
    assert evaluation.points == evaluation.manifest.metrics.operating_points


def test_curve_of_the_manifest_agrees_with_threshold_policies(evaluation: Evaluation) -> None:
    recorded, report = evaluation.manifest.metrics.risk_coverage, evaluation.report
    assert 45 <= len(recorded.thresholds) <= 51
    for threshold, answered, errors in zip(recorded.thresholds, recorded.answered, recorded.errors, strict=True):
        point = measure(report, ThresholdPolicy(threshold=threshold), evaluation.manifest.abstention)
        assert (point.answered, point.errors) == (answered, errors)
    # The lowest threshold answers all inputs inside the gate.
    assert recorded.answered[-1] == len(report) - (evaluation.false_alarms or 0)
    assert max(np.diff(recorded.answered)) <= len(report) / 45


def test_curve_without_a_gate_and_with_one_that_rejects_everything(tiny_evaluation: Evaluation) -> None:
    points = curve(tiny_evaluation.report, None)
    assert points.thresholds == pytest.approx([9 / 11, 9 / 19, 1 / 3])
    assert (points.answered, points.errors) == ([2, 3, 4], [0, 1, 1])
    assert curve(tiny_evaluation.report, tiny.abstention(ood_threshold=2.0)).answered == [2, 3]
    assert curve(tiny_evaluation.report, tiny.abstention(ood_threshold=0.5)).answered == []


def test_headline_agrees_with_the_manifest(evaluation: Evaluation) -> None:
    right = int(np.trace(evaluation.confusion))
    assert evaluation.manifest.metrics.accuracy == right / 5000
    assert evaluation.risk_coverage["full_risk"].value == (5000 - right) / 5000
    assert evaluation.confusion.sum() == 5000


def test_strange_inputs_are_out_of_distribution(evaluation: Evaluation) -> None:
    assert [strange.name for strange in evaluation.strange] == [
        *("uniform noise", "Gaussian noise", "inverted", "bars", "all white", "all black", "pixel-shuffled")
    ]
    for strange in evaluation.strange:
        outside = strange.outcomes.reasons == REASONS.index("out_of_distribution")
        assert np.mean(outside) >= 0.99, strange.name
        assert strange.flagged == np.mean(outside)
        assert strange.by_ood_score.auroc > 0.999, strange.name
        assert strange.by_ood_score.fpr95 < 0.001, strange.name
    undetected = [strange.name for strange in evaluation.strange if strange.by_confidence.auroc < 0.8]
    assert len(undetected) >= 3  # by confidence alone


def test_false_alarm_rate_is_about_as_promised(evaluation: Evaluation) -> None:
    abstention = evaluation.manifest.abstention
    assert abstention is not None
    assert evaluation.false_alarms is not None
    by_service = decide(evaluation.report.scores, ThresholdPolicy(threshold=0), abstention)
    assert evaluation.false_alarms == sum(d.reason == "out_of_distribution" for d in by_service)
    assert evaluation.false_alarms / 5000 <= 2 * abstention.out_of_distribution.false_alarm_rate


def test_prediction_sets_cover_about_as_promised(evaluation: Evaluation) -> None:
    for sets in evaluation.prediction_sets:
        # Both splits have 5,000 examples; three standard deviations of a difference of two shares.
        slack = 3 * np.sqrt(2 * sets.promise.set_coverage * (1 - sets.promise.set_coverage) / 5000)
        assert sets.set_coverage >= sets.promise.set_coverage - slack
        assert 1 <= sets.mean_size <= 10
        assert sets.answered_coverage is not None
        assert sets.abstained_coverage is not None
        abstained = np.mean(evaluation.outcomes.reasons != ANSWERED)
        halves = (1 - abstained) * sets.answered_coverage + abstained * sets.abstained_coverage
        assert sets.set_coverage == pytest.approx(halves)
        assert sets.least_coverage <= sets.set_coverage


def test_sets_by_decision_cover_abstentions_on_the_report_split(evaluation: Evaluation) -> None:
    """Sets of one threshold do not: they cover too many answers and too few abstentions."""
    by_method = {sets.promise.method: sets for sets in evaluation.prediction_sets if sets.promise.set_coverage == 0.9}
    by_decision, lac = by_method["by_decision"], by_method["lac"]
    assert by_decision.abstained_coverage is not None
    assert by_decision.abstained_coverage >= 0.9 - 3 * np.sqrt(2 * 0.9 * 0.1 / 1500)
    assert lac.abstained_coverage is not None
    assert lac.abstained_coverage <= 0.8
    assert lac.abstained_mean_size is not None
    assert by_decision.abstained_mean_size is not None
    assert lac.abstained_mean_size < by_decision.abstained_mean_size < 3


def test_file_with_a_false_accuracy_is_rejected(tiny_evaluation: Evaluation) -> None:
    """The manifest states 1.0, but three of four answers are right."""
    with pytest.raises(TrainingError, match=r"states an accuracy of 1\.0000 .* has 0\.7500"):
        check_stated(tiny_evaluation)


def test_published_file_has_the_accuracy_in_its_manifest(evaluation: Evaluation) -> None:
    check_stated(evaluation)
