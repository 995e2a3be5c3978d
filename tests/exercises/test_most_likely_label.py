"""Values that the page on the likeliest label takes from other documents."""

from pathlib import Path

from exercises.most_likely_label import DIAGNOSIS_COSTS
from training.certification import cost_matrix

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def test_costs_of_a_diagnosis_match_the_worked_example() -> None:
    assert cost_matrix.read(EXAMPLES / "cancer-costs.json", ["benign", "malignant"]) == DIAGNOSIS_COSTS
