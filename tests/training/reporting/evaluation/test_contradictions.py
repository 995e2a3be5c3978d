"""Promises contradicted by the report split are named, unless chance alone may explain it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.contract.policy import RejectCostPolicy, SelectiveRiskPolicy
from service.inference.classifier import Classifier
from tests import tiny
from tests.training.conftest import tiny_splits
from training.reporting.evaluation.contradictions import contradictions
from training.reporting.evaluation.evaluation import Evaluation, evaluate


def _evaluated(tiny_model: Path, wrong: int) -> Evaluation:
    """The tiny model on 100 images that it calls `left` with 9/11 > 0.8; `wrong` of them are not."""
    images = np.repeat(tiny.IMAGES[1:2], 100, axis=0)
    return evaluate(Classifier.load(tiny_model), tiny_splits([1] * (100 - wrong) + [2] * wrong, images))


def test_false_certificate_is_contradicted(tiny_model: Path) -> None:
    messages = _evaluated(tiny_model, wrong=30).contradictions
    assert messages[0] == (
        "selective_risk=0.1 promises at most 10 % errors among the answers, but 30 of 100 answers on the report split "
        "are wrong: 30.0 %, with a 95 % lower bound (Clopper-Pearson) of 22.5 %. If a promise is kept, this bound "
        "exceeds it in at most 1 of 20 report splits (a test at the 5 % level). Calibrate on labelled data from where "
        "the model is used, or gather more labels."
    )
    assert messages[1].startswith("reject_cost=0.2 promises at most 20 % errors")
    assert len(messages) == 2  # the infeasible ones promise nothing


@pytest.mark.parametrize(("wrong", "contradicted"), [(10, False), (15, False), (16, True)])
def test_contradiction_starts_at_the_exact_lower_bound(tiny_model: Path, wrong: int, contradicted: bool) -> None:
    """P(Bin(100, 0.1) >= 16) = 0.040 and P(Bin(100, 0.1) >= 15) = 0.073."""
    assert bool(_evaluated(tiny_model, wrong).contradictions) is contradicted


def test_certified_promises_on_the_real_report_split(evaluation: Evaluation) -> None:
    assert evaluation.contradictions == []


def test_costs_of_a_matrix_are_not_judged_as_error_rates(tiny_model: Path) -> None:
    points = _evaluated(tiny_model, wrong=60).points
    matrix = tiny.abstention().model_copy(update={"cost_matrix": [[0.0, 9.0, 1.0]] * 3})
    assert any(isinstance(point.policy, RejectCostPolicy) for point in points)
    (only,) = contradictions(points, matrix)
    assert only.startswith("selective_risk=0.1 ")


def test_without_answers_or_certificates_there_is_nothing_to_contradict(tiny_model: Path) -> None:
    points = _evaluated(tiny_model, wrong=60).points
    assert contradictions(points, None) == []
    silent = [point.model_copy(update={"answered": 0, "errors": 0}) for point in points]
    assert all(isinstance(point.policy, SelectiveRiskPolicy) for point in silent[:2])
    assert contradictions(silent, tiny.abstention()) == []


def test_errors_in_one_group_contradict_nothing(tiny_model: Path) -> None:
    """30 wrong answers among 100 are many, unless all concern one patient."""
    evaluation = _evaluated(tiny_model, wrong=30)
    one_group = replace(evaluation.report, groups=np.arange(100) // 50)
    assert contradictions(evaluation.points, tiny.abstention(), one_group) == []
    each_its_own = replace(evaluation.report, groups=np.arange(100))
    assert (
        "lower bound (betting on the groups) of"
        in contradictions(evaluation.points, tiny.abstention(), each_its_own)[0]
    )
