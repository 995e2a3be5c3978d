"""Where the cells of the sets by decision are cut."""

import numpy as np

from service.inference.classifier import Scores
from training.certification.cells import expected_cuts, wide_enough
from training.certification.fixed_sequence import Sequence, fixed_sequence
from training.certification.settings import AbstentionSettings

SIZE = 4000
CONFIDENCE = (np.arange(1, SIZE + 1) / SIZE).astype(np.float32)
SCORES = Scores(CONFIDENCE[:, None], CONFIDENCE, np.zeros(SIZE, dtype=np.float32))
# From sure to unsure: right, and then one error in five.
WRONG = (CONFIDENCE < 0.5) & (np.arange(SIZE) % 5 == 0)
ALL = np.ones(SIZE, dtype=bool)


def _cuts(calibration_size: int, **asked: tuple[float, ...] | float) -> list[float]:
    settings = AbstentionSettings(**asked)  # type: ignore[arg-type]
    return _cuts_of(Sequence.on(CONFIDENCE, WRONG, ALL), calibration_size, settings)


def _cuts_of(sequence: Sequence, size: int, settings: AbstentionSettings) -> list[float]:
    expected = {r: sequence.expected_threshold(size, r, settings.confidence_level) for r in settings.selective_risk}
    return expected_cuts(expected, settings.default_risk)


def test_cut_is_what_a_calibration_split_like_tune_certifies() -> None:
    """As many, each with the score of a tune example: the test itself finds that threshold."""
    risks = (0.01, 0.02, 0.05)
    sequence = Sequence.on(CONFIDENCE, WRONG, ALL)
    passed = [fixed_sequence(sequence, CONFIDENCE, WRONG, ALL, risk, 0.95) for risk in risks]
    assert _cuts(SIZE, selective_risk=risks, default_risk=0.01) == [one.threshold for one in passed if one]


def test_smaller_calibration_split_is_expected_to_certify_less() -> None:
    (few,), (many,) = (_cuts(size, selective_risk=(0.05,), default_risk=0.05) for size in (400, 40_000))
    assert few > many


def test_cut_of_the_default_risk_is_the_first() -> None:
    strict_first = _cuts(SIZE, selective_risk=(0.02, 0.1, 0.05), default_risk=0.02)
    assert strict_first == sorted(strict_first, reverse=True)
    by_default = _cuts(SIZE, selective_risk=(0.02, 0.1, 0.05), default_risk=0.05)
    assert by_default == [strict_first[1], strict_first[0], strict_first[2]]


def test_risk_that_tune_cannot_certify_has_no_cut() -> None:
    everything_wrong = Sequence.on(CONFIDENCE, ALL, ALL)
    assert _cuts_of(everything_wrong, SIZE, AbstentionSettings()) == []


def test_equal_thresholds_are_one_cut() -> None:
    everything_right = Sequence.on(CONFIDENCE, ~ALL, ALL)
    assert _cuts_of(everything_right, SIZE, AbstentionSettings()) == [float(CONFIDENCE[0])]


def test_cuts_that_leave_too_few_are_merged_into_the_default() -> None:
    """Of 1,000 calibration examples a cell needs 100 at 0.90 and 500 at 0.98, by the shares of tune."""
    assert wide_enough([0.5, 0.95, 0.85], SCORES, 1.0, 1000, 0.9) == [0.5, 0.85]
    assert wide_enough([0.5, 0.45, 0.85], SCORES, 1.0, 1000, 0.9) == [0.5, 0.85]
    assert wide_enough([0.45, 0.5, 0.85], SCORES, 1.0, 1000, 0.9) == [0.45, 0.85]
    assert wide_enough([0.5], SCORES, 1.0, 1000, 0.98) == []  # 0.5 itself is above: 499.75 are below
    assert wide_enough([0.5], SCORES, 1.0, 1001, 0.98) == [0.5]


def test_what_the_gate_turns_away_is_in_the_lowest_cell() -> None:
    far = Scores(SCORES.probabilities, CONFIDENCE, np.where(CONFIDENCE > 0.75, 2, 0).astype(np.float32))
    assert wide_enough([0.5, 0.75], far, 1.0, 1000, 0.9) == [0.5]  # above 0.75 nothing is left
    assert wide_enough([0.05], far, 1.0, 1000, 0.9) == [0.05]  # 50 below, and 250 turned away
