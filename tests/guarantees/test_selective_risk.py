"""The certified selective risk holds: the true risk exceeds the target for at most one calibration split in 20."""

import numpy as np
import pytest

from benchmarks.population import CALIBRATION_SIZE, CONFIDENCE_LEVEL, Population, resamples
from benchmarks.selection_rules import largest_passing, naive
from tests.guarantees.limits import MOST_VIOLATIONS, REPEATS, RESAMPLING_SEED
from tests.guarantees.synthetic import FLAT, NOISY_TOP, STEEP, Synthetic
from training.certification.fixed_sequence import ThresholdSequence, fixed_sequence

pytestmark = pytest.mark.guarantee

TUNE_SIZE = 10_000
RISK = 0.03


@pytest.mark.parametrize("population", [STEEP, NOISY_TOP, FLAT], ids=lambda population: population.name)
def test_promise_is_kept_on_populations_by_formula(population: Synthetic) -> None:
    everything = np.ones(TUNE_SIZE, dtype=bool)
    sequence = ThresholdSequence.from_tune(*population.draw(np.random.default_rng(0), TUNE_SIZE), everything)
    eligible = everything[:CALIBRATION_SIZE]
    violations = 0
    for repeat in range(REPEATS):
        calibration = population.draw(np.random.default_rng([RESAMPLING_SEED, repeat]), CALIBRATION_SIZE)
        passed = fixed_sequence(sequence, *calibration, eligible, RISK, CONFIDENCE_LEVEL)
        violations += passed is not None and population.risk(passed.threshold) > RISK
    assert violations <= MOST_VIOLATIONS


@pytest.mark.parametrize("population", [STEEP, NOISY_TOP, FLAT], ids=lambda population: population.name)
def test_formula_of_the_risk_agrees_with_draws(population: Synthetic) -> None:
    confidence, wrong = population.draw(np.random.default_rng(1), 2_000_000)
    for threshold in (0.0, 0.5, 0.8):
        answered = confidence >= threshold
        assert wrong[answered].mean() == pytest.approx(population.risk(threshold), abs=0.001)


@pytest.mark.parametrize("risk", [0.03, 0.05, 0.1])
def test_promise_is_kept_on_the_scores_of_the_test_images(pool: Population, tune: Population, risk: float) -> None:
    sequence = tune.sequence()
    thresholds = [split.threshold(sequence, risk) for split in resamples(pool, REPEATS, RESAMPLING_SEED)]
    coverage, true_risk = pool.truth(thresholds)
    assert (true_risk > risk).sum() <= MOST_VIOLATIONS
    assert coverage.mean() > 0.4  # but not by never answering


def test_naive_rule_breaks_the_promise_half_the_time(pool: Population) -> None:
    thresholds = [
        naive((split := drawn.inside()).scores.confidence, split.wrong, RISK)
        for drawn in resamples(pool, REPEATS, RESAMPLING_SEED)
    ]
    _, true_risk = pool.truth(thresholds)
    assert (true_risk > RISK).sum() > 400


def test_largest_passing_threshold_breaks_the_promise_on_the_flat_population() -> None:
    violations = 0
    for repeat in range(REPEATS):
        calibration = FLAT.draw(np.random.default_rng([RESAMPLING_SEED, repeat]), CALIBRATION_SIZE)
        violations += largest_passing(*calibration, RISK, CONFIDENCE_LEVEL) is not None
    assert violations > 150
