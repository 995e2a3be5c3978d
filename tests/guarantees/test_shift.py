"""A limit of every certificate: it need not hold for a population other than the calibration split's."""

import pytest

from benchmarks.population import HeldOut
from benchmarks.shift import TEST, TRAINING, Kept, measure
from tests.guarantees.limits import MAX_VIOLATIONS, REPEATS

pytestmark = pytest.mark.guarantee

RISK, SET_COVERAGE = 0.1, 0.9


@pytest.fixture(scope="module")
def kept(held_out: HeldOut) -> dict[str, Kept]:
    """The results of the promises, by the source of the calibration splits."""
    return {one.source: one for one in measure(held_out, REPEATS, [RISK], [SET_COVERAGE])}


def test_risk_breaks_on_test_images_only_where_training_images_calibrated(kept: dict[str, Kept]) -> None:
    assert kept[TRAINING].violations[RISK] * REPEATS > MAX_VIOLATIONS
    assert kept[TEST].violations[RISK] * REPEATS <= MAX_VIOLATIONS


def test_set_coverage_is_kept_where_test_images_calibrated(kept: dict[str, Kept]) -> None:
    assert kept[TEST].set_coverage[SET_COVERAGE] >= SET_COVERAGE - 0.002
