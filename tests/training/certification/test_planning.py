"""The forecast for other numbers of calibration examples, from scores whose quality is known."""

from dataclasses import replace

import numpy as np
import pytest

from service.inference.classifier import Scores
from training.certification.fixed_sequence import ThresholdSequence, fixed_sequence
from training.certification.gate import gate_threshold
from training.certification.planning import Plan, plan
from training.certification.scored import Scored
from training.certification.settings import AbstentionSettings

SETTINGS = AbstentionSettings(selective_risk=(0.1, 0.02), default_risk=0.1)


def _scored(size: int, seed: int = 1) -> Scored:
    """Calibrated probabilities over three classes."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.1, 0.1, 0.1], size).astype(np.float32)
    labels = (p.cumsum(axis=1) > rng.random((size, 1))).argmax(axis=1)
    return Scored(Scores(p, p.max(axis=1), rng.random(size).astype(np.float32)), labels, "by hand", "1" * 64)


TUNE = _scored(2000)


def _plan(tune: Scored, sizes: tuple[int, ...], largest: int = 1, seed: int = 0) -> Plan:
    planned = plan(tune, SETTINGS, sizes, 1000, largest, seed)
    assert planned is not None
    return planned


def test_more_examples_answer_more() -> None:
    planned = _plan(TUNE, (3000, 200, 600, 200))
    assert (planned.risks, planned.sizes) == ((0.02, 0.1), (200, 600, 3000))
    assert (np.diff(planned.coverage, axis=1) > 0).all()
    assert (np.diff(planned.coverage, axis=0) > 0).all()
    assert 0.8 < planned.coverage[1, 2] < 1


def test_fewer_than_the_minimum_certify_nothing() -> None:
    """It takes 29 answers for 10 % and 149 for 2 %."""
    planned = _plan(TUNE, (28, 29, 148, 149))
    assert planned.possible.tolist() == [[False, False, False, True], [False, True, True, True]]
    assert (planned.coverage[~planned.possible] == 0).all()
    assert planned.coverage[1, 2] > 0.5


def test_familywise_needs_more_examples() -> None:
    together = plan(TUNE, replace(SETTINGS, familywise=True), (35, 36, 300), 1000)
    assert together is not None
    assert together.possible[1].tolist() == [False, True, True]  # 36 at the level 0.975
    assert (together.coverage[:, 2] < _plan(TUNE, (300,)).coverage[:, 0]).all()


@pytest.mark.parametrize(("size", "drawn_tune"), [(400, 2000), (1500, 3000)])
def test_coverage_is_the_mean_over_draws_of_the_certified_share(size: int, drawn_tune: int) -> None:
    """With 1,000 calibration examples now; with more, tune grows too."""
    rng, shares = np.random.default_rng([7, 4, size]), []
    for _ in range(20):
        tune = TUNE.take(rng.integers(0, len(TUNE), drawn_tune))
        largest = gate_threshold(tune, 0.01, 0.95).threshold
        sequence = ThresholdSequence.from_tune(tune.scores.confidence, tune.wrong, tune.scores.ood_score <= largest)
        for _ in range(10):
            drawn = TUNE.take(rng.integers(0, len(TUNE), size))
            confidence, inside = drawn.scores.confidence.astype(np.float64), drawn.scores.ood_score <= largest
            passed = fixed_sequence(sequence, confidence, drawn.wrong, inside, 0.1, 0.95)
            shares.append(passed.answered / size if passed else 0)
    assert _plan(TUNE, (size,), seed=7).coverage[1, 0] == pytest.approx(np.mean(shares), abs=1e-12)


def test_estimate_from_a_sample_is_near_the_truth() -> None:
    """Populations of 30,000, estimated from 1,000, for any number of calibration examples."""
    population, of_one_risk = _scored(30_000, seed=3), replace(SETTINGS, selective_risk=(0.1,))
    drawn_from = [population, *(population.take(np.arange(i, i + 1000)) for i in (0, 1000, 2000))]
    plans = [plan(tune, of_one_risk, (300, 8000), 1000) for tune in drawn_from]
    truth, *estimates = (planned.coverage[0] for planned in plans if planned is not None)
    assert len(estimates) == 3
    assert np.mean(estimates, axis=0) == pytest.approx(truth, abs=0.05)


def test_plan_depends_only_on_the_seed() -> None:
    first, again, other = (_plan(TUNE, (300,), seed=seed).coverage for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_group_of_copies_is_worth_one_row() -> None:
    """Each row four times: 2,400 rows in groups of four are worth 600. Counted as 2,400 they would promise more."""
    fourfold = TUNE.take(np.repeat(np.arange(len(TUNE)), 4))
    grouped = replace(fourfold, groups=np.random.default_rng(0).permutation(len(TUNE)).repeat(4))
    planned = _plan(grouped, (112, 116, 2400), largest=4)
    assert planned.possible[1].tolist() == [False, True, True]  # 28 groups and 29
    assert planned.coverage[:, 2] == pytest.approx(_plan(TUNE, (600,)).coverage[:, 0], abs=0.08)
    assert (planned.coverage[:, 2] < _plan(TUNE, (2400,)).coverage[:, 0] - 0.02).all()


def test_groups_of_several_sizes_are_drawn_as_units() -> None:
    sizes = np.array([1, 2, 3, 6] * 150)
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(600), sizes))
    tune = replace(_scored(1800), groups=groups)
    planned = _plan(tune, (600, 1800), largest=6)
    assert 0 < planned.coverage[1, 0] < planned.coverage[1, 1] < 1


def test_risk_that_half_of_tune_cannot_certify_is_not_estimable() -> None:
    """149 answers certify 2 %."""
    assert [_plan(_scored(size), (500,)).estimable.tolist() for size in (297, 298)] == [[False, True], [True, True]]
    assert _plan(_scored(297), (500,)).recommended(0.02) is None
    assert _plan(_scored(297), (500,)).recommended(0.1) == 500


def test_tune_under_a_hundred_independent_rows_plans_nothing() -> None:
    assert plan(_scored(99), SETTINGS, (500,), 1000) is None
    assert plan(_scored(100), SETTINGS, (500,), 1000) is not None
    grouped = replace(_scored(396), groups=np.arange(396) // 4)
    assert plan(grouped, SETTINGS, (500,), 1000, 4) is None


def test_recommended_size_is_the_smallest_with_nearly_the_highest_coverage() -> None:
    coverage = np.array([[0.0, 0.3, 0.76, 0.8], [0.0, 0.0, 0.0, 0.0]])
    planned = Plan((0.05, 0.1), (10, 20, 30, 40), coverage, np.array([True, True]), np.ones((2, 4), dtype=bool))
    assert (planned.recommended(0.05), planned.recommended(0.1)) == (30, None)
