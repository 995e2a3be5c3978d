"""The samples of a split, by hand. tests/guarantees shows that the tests keep their promise."""

import numpy as np
import pytest

from service.inference.classifier import Scores
from training.certification.fixed_sequence import ThresholdSequence
from training.certification.samples import GatedSplit, Sample, largest_group_size, samples
from training.certification.scored import Scored
from training.certification.selective_risk import certify
from training.certification.tails import betting_p_value, binomial_p_value, clopper_pearson_upper

SIZES = np.array([1, 2, 3, 5] * 50)
GROUPS = np.random.default_rng(0).permutation(np.repeat(1000 + np.arange(200), SIZES))


def test_all_independent_rows_are_taken_and_tested_exactly() -> None:
    (sample,) = samples(None, 100, 1)
    wrong = (np.arange(100) < 3).astype(float)
    everything = np.ones(100, dtype=bool)
    assert sample.certificate_fields() == {"unit": "row", "test": "binomial", "groups": None, "largest_group": None}
    assert sample.p_value(wrong, everything, 0.1) == float(binomial_p_value(3, 100, 0.1))
    assert sample.upper(wrong, everything, 0.95) == clopper_pearson_upper(3, 100, 0.95)


def test_group_counts_with_a_limited_number_of_rows() -> None:
    several, _ = samples(GROUPS, len(GROUPS), 3)
    assert several.groups is not None
    taken = np.unique(GROUPS[several.rows], return_counts=True)[1]
    assert sorted(taken.tolist()) == sorted(np.minimum(SIZES, 3).tolist())
    assert len(set(several.rows.tolist())) == len(several.rows)
    assert (several.group_count, several.largest_group) == (200, 3)
    for code in range(200):  # each code stands for one group
        assert len(set(GROUPS[several.rows[several.groups == code]])) == 1


def test_one_row_of_a_group_is_kept_in_proportion_to_its_size() -> None:
    """Each row of the population has the same chance, regardless of the size of its group."""
    groups = np.repeat(np.arange(20_000), [1, 4] * 10_000)
    _, one = samples(groups, len(groups), 4)
    kept = groups[one.rows]
    assert len(set(kept.tolist())) == len(kept)
    assert (kept % 2 == 1).sum() == 10_000  # all large groups
    assert (kept % 2 == 0).sum() == pytest.approx(2_500, abs=200)  # a quarter of the small groups
    assert one.certificate_fields() == {
        "unit": "group",
        "test": "one_row_per_group",
        "groups": len(kept),
        "largest_group": 4,
    }


def test_every_group_of_equal_size_gives_one_random_row() -> None:
    groups = np.repeat(np.arange(3_000), 3)
    _, one = samples(groups, len(groups), 3)
    assert len(one) == 3_000
    assert np.bincount(one.rows % 3) == pytest.approx(1_000, abs=120)


def test_gain_of_a_group_matches_its_formula() -> None:
    """Two groups of which at most four rows count: 3 answers with an error, 1 right answer; the risk is 10 %."""
    sample = Sample("betting", np.arange(5), np.array([0, 0, 0, 0, 1]), 4)
    wrong, answered = np.array([1.0, 0, 0, 1, 0]), np.array([True, True, True, False, True])
    gains = np.array([(0.1 * 3 - 1) / (0.9 * 4), 0.1 / (0.9 * 4)])
    assert sample.p_value(wrong, answered, 0.1) == pytest.approx(betting_p_value(gains))


def test_bound_and_p_value_of_groups_agree() -> None:
    several, one = samples(GROUPS, len(GROUPS), 5)
    wrong = np.random.default_rng(1).random(len(GROUPS)) < 0.03
    for sample in (several, one):
        losses, answered = wrong[sample.rows].astype(float), np.ones(len(sample), dtype=bool)
        bound = sample.upper(losses, answered, 0.95)
        assert losses.mean() < bound < 1
        assert sample.p_value(losses, answered, bound + 1e-6) <= 0.05 < sample.p_value(losses, answered, bound - 1e-6)


def test_lower_bound_for_groups_is_between_0_and_the_rate() -> None:
    several, _ = samples(GROUPS, len(GROUPS), 5)
    wrong = np.random.default_rng(1).random(len(GROUPS)) < 0.3
    losses = wrong[several.rows].astype(float)
    assert 0.1 < several.lower(losses, np.ones(len(several), dtype=bool), 0.95) < losses.mean()


def test_nothing_answered_is_no_evidence() -> None:
    for sample in samples(GROUPS, len(GROUPS), 5):
        nothing = np.zeros(len(sample), dtype=bool)
        assert sample.p_value(np.zeros(len(sample)), nothing, 0.1) == 1
        assert sample.upper(np.zeros(len(sample)), nothing, 0.95) == 1


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(20), 5)], ids=["rows", "groups"])
@pytest.mark.parametrize("binary", [True, False])
def test_levels_of_0_and_1_need_no_test(groups: np.ndarray | None, binary: bool) -> None:
    for sample in samples(groups, 100, 5):
        losses, answered = np.full(len(sample), 1.0 if binary else 0.5), np.ones(len(sample), dtype=bool)
        for level, expected in ((0.0, 1.0), (1.0, 0.0), (2.0, 0.0)):
            assert sample.p_value(losses, answered, level, binary=binary) == expected
            assert sample.expected_p_value(losses, answered, level, 0.5, binary=binary) == expected


def test_largest_group_of_an_empty_split_is_one_row() -> None:
    assert largest_group_size(np.zeros(0, dtype=np.int64)) == 1


def _side(copies: int, seed: int) -> GatedSplit:
    """6,000 rows in groups of ten: `copies` of a group's rows are one row repeated, the others are independent."""
    rng = np.random.default_rng(seed)
    confidence = np.repeat(rng.uniform(0.5, 1, 600), 10)
    wrong = np.repeat(rng.random(600), 10) > confidence
    free = np.arange(6_000) % 10 >= copies
    confidence[free] = rng.uniform(0.5, 1, free.sum())
    wrong[free] = rng.random(free.sum()) > confidence[free]
    p = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
    scores = Scores(p, p.max(axis=1), np.zeros(6_000, np.float32))
    scored = Scored(scores, wrong.astype(np.int64), "by hand", str(seed) * 64, np.repeat(np.arange(600), 10))
    return GatedSplit.of_split(scored, np.ones(6_000, dtype=bool), 10)


@pytest.mark.parametrize(("copies", "test"), [(10, "one_row_per_group"), (1, "betting")])
def test_certificate_uses_the_test_that_answers_more(copies: int, test: str) -> None:
    tune, calibration = _side(copies, 1), _side(copies, 2)
    sequence = ThresholdSequence.from_tune(tune.scored.scores.confidence, tune.scored.wrong, tune.inside)
    certificate = certify(sequence, tune, calibration, 0.15, 0.95)
    assert (certificate.status, certificate.unit, certificate.test) == ("certified", "group", test)
    assert (certificate.groups, certificate.largest_group) == (600, 10)
    assert certificate.size == (600 if copies == 10 else 6_000)
    assert certificate.risk_bound is not None
    assert certificate.risk_bound <= 0.15
