"""A limit of every certificate: it need not hold for a population other than the calibration split's."""

import pytest

from benchmarks.population import HeldOut
from benchmarks.shift import TEST, TRAINING, Kept, measure
from tests.guarantees.limits import MAX_VIOLATIONS, REPEATS
from training.data.dataset import Dataset
from training.fitting.recipes import TUNED
from training.job import Job, run

pytestmark = pytest.mark.guarantee

RISK, SET_COVERAGE = 0.1, 0.9


@pytest.fixture(scope="module")
def kept(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kept]:
    """The results of the promises of a linear model, as in docs/evidence, by the source of the calibration splits."""
    path = tmp_path_factory.mktemp("shift") / "model.onnx"
    run(Job("tuned", TUNED, 0, "cpu", path), dataset)
    return {one.source: one for one in measure(HeldOut.of(path, dataset), REPEATS, [RISK], [SET_COVERAGE])}


def test_risk_breaks_on_test_images_only_where_training_images_calibrated(kept: dict[str, Kept]) -> None:
    assert kept[TRAINING].violations[RISK] * REPEATS > MAX_VIOLATIONS
    assert kept[TEST].violations[RISK] * REPEATS <= MAX_VIOLATIONS


def test_set_coverage_breaks_on_test_images_only_where_training_images_calibrated(kept: dict[str, Kept]) -> None:
    assert kept[TRAINING].set_coverage[SET_COVERAGE] < SET_COVERAGE - 0.002
    assert kept[TEST].set_coverage[SET_COVERAGE] >= SET_COVERAGE - 0.002
