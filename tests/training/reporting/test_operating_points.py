"""The table of operating points, by hand."""

from pathlib import Path

import numpy as np
import pytest

from service.inference.classifier import Classifier
from tests import tiny
from tests.training.conftest import tiny_splits
from training.publishing.export import to_onnx
from training.reporting.evaluation.evaluation import Evaluation, evaluate
from training.reporting.operating_points import Row, as_text, rows


def test_tiny_models_table(tiny_evaluation: Evaluation) -> None:
    """Two confidences of four are over 0.8, both right; 1 - confidence is under 0.2 for the same two."""
    table = rows(tiny_evaluation.manifest, tiny_evaluation.points)
    level = "with 95 % confidence"
    assert table == [
        Row("selective_risk 0.01", f"risk <= 1 %, {level}", "nowhere: infeasible", "-", "-", "0.0 %", "-"),
        Row(
            "selective_risk 0.1", f"risk <= 10 %, {level}", "confidence >= 0.8000", "50.0 %", "2.0 %", "50.0 %", "0.0 %"
        ),
        Row(
            "reject_cost 0.01",
            f"mean cost of an answer <= 0.01, {level}",
            "nowhere: infeasible",
            "-",
            "-",
            "0.0 %",
            "-",
        ),
        Row(
            "reject_cost 0.2",
            f"mean cost of an answer <= 0.2, {level}",
            "expected cost <= 0.2",
            *("50.0 %", "2.0 %", "50.0 %", "0.0 %"),
        ),
        Row("never_abstain (default)", "none", "everywhere", "-", "-", "100.0 %", "25.0 %"),
    ]


def test_text_fits_a_terminal_and_names_the_confidence(evaluation: Evaluation) -> None:
    lines = as_text(evaluation.manifest, evaluation.points).splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) == 2 + len(evaluation.points) + 1
    assert (
        lines[-1] == "Each promise alone has a confidence of 95 %, for inputs drawn as from the official test images."
    )


@pytest.mark.parametrize(
    ("changes", "last_line"),
    [
        (
            {"family": 2},
            "All selective_risk promises together have a confidence of 95 %, each other promise alone",
        ),
        (
            {"unit": "group", "test": "betting", "groups": 20, "largest_group": 5},
            "Each promise alone has a confidence of 95 %, tested by groups",
        ),
    ],
)
def test_last_line_names_the_kind_of_certificate(
    evaluation: Evaluation, changes: dict[str, int | str], last_line: str
) -> None:
    abstention = evaluation.manifest.abstention
    assert abstention is not None
    risks = [certificate.model_copy(update=changes) for certificate in abstention.selective_risk]
    manifest = evaluation.manifest.model_copy(
        update={"abstention": abstention.model_copy(update={"selective_risk": risks})}
    )
    assert as_text(manifest, evaluation.points).splitlines()[-1].startswith(last_line)


def test_with_a_cost_matrix_a_reject_cost_states_mean_costs(tmp_path: Path) -> None:
    """[255, 0] is left by 9/11. Answering left for right costs 0.5; one of four such answers is wrong: 0.125 each."""
    matrix = [[0.0, 1.0, 1.0], [0.5, 0.0, 0.5], [1.0, 1.0, 0.0]]
    manifest = tiny.manifest()
    assert manifest.abstention is not None
    manifest = manifest.model_copy(
        update={"abstention": manifest.abstention.model_copy(update={"cost_matrix": matrix})}
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(tiny.MODEL, manifest))
    images = np.repeat(tiny.IMAGES[1:2], 4, axis=0)
    evaluation = evaluate(Classifier.load(path), tiny_splits([1, 1, 1, 2], images))
    row = rows(evaluation.manifest, evaluation.points)[3]
    assert (row.name, row.calibration_risk, row.report_risk) == ("reject_cost 0.2", "cost 0.0200", "cost 0.1250")
