"""The accuracies that docs/training.md states, over five seeds. Slow: the job runs ten times."""

import re

import pytest

from benchmarks.accuracy import measure
from tests.documents import DOCS
from training.data.dataset import Dataset
from training.data.options import Recipe

pytestmark = pytest.mark.slow

TEXT = (DOCS / "training.md").read_text()


@pytest.mark.parametrize(("recipe", "minimum", "maximum"), [("chapter", 0.826, 0.836), ("tuned", 0.845, 1.0)])
def test_recipe_reaches_its_accuracy(dataset: Dataset, recipe: Recipe, minimum: float, maximum: float) -> None:
    mean = measure(recipe, dataset).mean
    assert minimum <= mean <= maximum
    (documented,) = re.findall(rf"^\| `{recipe}` \| \d+ \| ([0-9.]+) \|", TEXT, re.MULTILINE)
    assert mean == pytest.approx(float(documented), abs=0.001)
