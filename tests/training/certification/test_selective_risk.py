"""The fixed sequence on its edge cases. tests/guarantees shows that it keeps its promise."""

from typing import Any

import numpy as np
import pytest

from service.inference.classifier import Scores
from training.certification.fixed_sequence import LastPassed, ThresholdSequence, count, fixed_sequence, least_examples
from training.certification.samples import GatedSplit
from training.certification.scored import Scored
from training.certification.selective_risk import certify
from training.certification.tails import binomial_p_value, clopper_pearson_upper

N = 2000
RNG = np.random.default_rng(0)
CONFIDENCE = RNG.uniform(0.5, 1.0, N)
SURER_IS_RIGHTER = RNG.random(N) > CONFIDENCE
NONE, ALL = np.zeros(N, dtype=bool), np.ones(N, dtype=bool)


def _pass(
    confidence: Any, wrong: Any, eligible: Any = ALL, risk: float = 0.1, sequence: Any = None
) -> LastPassed | None:
    made = sequence or ThresholdSequence.from_tune(confidence, wrong, ALL)
    return fixed_sequence(made, confidence, wrong, eligible, risk, 0.95)


def test_no_errors_answer_everything() -> None:
    passed = _pass(CONFIDENCE, NONE)
    assert passed == LastPassed(CONFIDENCE.min(), N, 0, float(binomial_p_value(0, N, 0.1)))


def test_all_errors_certify_nothing() -> None:
    assert _pass(CONFIDENCE, ALL) is None


def test_nothing_eligible_certifies_nothing() -> None:
    assert _pass(CONFIDENCE, NONE, eligible=NONE) is None


def test_unattainable_target_certifies_nothing() -> None:
    """2,000 answers without an error are not enough for a risk of 0.1 %: 2,995 would be."""
    assert _pass(CONFIDENCE, NONE, risk=0.001) is None
    assert least_examples(0.001, 0.95) == 2995


@pytest.mark.parametrize(("errors", "passes"), [(150, True), (250, False)])
def test_all_ties_are_one_threshold(errors: int, passes: bool) -> None:
    tied = np.full(N, 0.75)
    wrong = np.arange(N) < errors
    sequence = ThresholdSequence.from_tune(tied, wrong, ALL)
    assert sequence.thresholds.tolist() == [0.75]
    passed = _pass(tied, wrong, sequence=sequence)
    assert passed == (LastPassed(0.75, N, errors, float(binomial_p_value(errors, N, 0.1))) if passes else None)


def test_ties_with_the_threshold_are_answered() -> None:
    confidence = np.repeat([0.9, 0.8, 0.7], [500, 1000, 500])
    wrong = np.concatenate([np.zeros(1500, dtype=bool), np.ones(500, dtype=bool)])
    passed = _pass(confidence, wrong)
    assert passed is not None
    assert (passed.threshold, passed.answered, passed.errors) == (0.8, 1500, 0)


def test_sequence_stops_at_the_first_failure_and_not_at_the_last_pass() -> None:
    """A dip in the risk further down would pass the test by itself. It must not count, since it may be chance."""
    confidence = np.linspace(1, 0.5, N)
    wrong = np.zeros(N, dtype=bool)
    wrong[300:500] = True  # the risk rises to 40 % and then falls back to 10 %
    calm = np.zeros(N, dtype=bool)
    sequence = ThresholdSequence.from_tune(confidence, calm, ALL)
    sequence = ThresholdSequence(
        sequence.thresholds, sequence.answered, np.where(sequence.answered > 200, sequence.answered, 0), N
    )
    passed = fixed_sequence(sequence, confidence, wrong, ALL, 0.12, 0.95)
    answered, errors = count(confidence, wrong, sequence.thresholds)
    passing = binomial_p_value(errors, answered, 0.12) <= 0.05
    assert passing[-1]  # answering everything would pass
    assert passed is not None
    assert passed.answered < 350


def test_errors_outside_the_gate_do_not_count() -> None:
    wrong = np.arange(N) < 1000
    sequence = ThresholdSequence.from_tune(CONFIDENCE, wrong, ~wrong)
    assert (sequence.answered[-1], sequence.errors[-1], sequence.size) == (1000, 0, N)
    passed = _pass(CONFIDENCE, wrong, eligible=~wrong, sequence=sequence)
    assert passed is not None
    assert (passed.errors, passed.answered) == (0, 1000)


def test_thresholds_and_start_do_not_depend_on_the_calibration_split() -> None:
    sequence = ThresholdSequence.from_tune(CONFIDENCE, SURER_IS_RIGHTER, ALL)
    assert (np.diff(sequence.thresholds) < 0).all()
    assert np.isin(sequence.thresholds, CONFIDENCE).all()
    assert sequence.answered[-1] == N
    assert sequence.start(5000, 0.1, 0.95) == sequence.start(5000, 0.1, 0.95)
    assert 0 <= sequence.start(100, 0.1, 0.95) < len(sequence.thresholds)


def test_counts_agree_with_a_loop() -> None:
    confidence = RNG.choice([0.5, 0.6, 0.6, 0.7, 0.9], 300).astype(np.float32)
    wrong = RNG.random(300) < 0.3
    thresholds = np.array([0.95, 0.9, 0.7, 0.65, 0.6, 0.5, 0.1])
    answered, errors = count(confidence, wrong, thresholds)
    above = [confidence.astype(np.float64) >= t for t in thresholds]
    assert answered.tolist() == [int(mask.sum()) for mask in above]
    assert errors.tolist() == [int(wrong[mask].sum()) for mask in above]


def _scored(wrong: np.ndarray, fingerprint: str) -> Scored:
    """Two classes; the first is always the likelier, so wrong examples are those of the second."""
    confidence = CONFIDENCE.astype(np.float32)
    scores = Scores(np.stack([confidence, 1 - confidence], axis=1), confidence, np.zeros(N, dtype=np.float32))
    return Scored(scores, wrong.astype(np.int64), "by hand", fingerprint * 64)


def test_certificate_holds_the_numbers_behind_it() -> None:
    tune, calibration = _scored(SURER_IS_RIGHTER, "1"), _scored(SURER_IS_RIGHTER, "2")
    sequence = ThresholdSequence.from_tune(tune.scores.confidence, tune.wrong, ALL)
    certificate = certify(
        sequence, GatedSplit.of_split(tune, ALL, 1), GatedSplit.of_split(calibration, ALL, 1), 0.2, 0.95
    )
    assert certificate.status == "certified"
    assert certificate.threshold is not None
    assert certificate.answered is not None
    assert certificate.errors is not None
    answered = CONFIDENCE.astype(np.float32).astype(np.float64) >= certificate.threshold
    assert (certificate.answered, certificate.errors) == (answered.sum(), SURER_IS_RIGHTER[answered].sum())
    assert certificate.p_value == float(binomial_p_value(certificate.errors, certificate.answered, 0.2))
    assert certificate.risk_bound == clopper_pearson_upper(certificate.errors, certificate.answered, 0.95)
    assert certificate.risk_bound <= 0.2
    assert certificate.coverage == certificate.answered / N
    assert (certificate.population, certificate.size) == ("by hand", N)
    assert (certificate.tune_fingerprint, certificate.calibration_fingerprint) == ("1" * 64, "2" * 64)


def test_infeasible_certificate_has_no_numbers() -> None:
    tune = calibration = _scored(ALL, "1")
    sequence = ThresholdSequence.from_tune(tune.scores.confidence, tune.wrong, ALL)
    certificate = certify(
        sequence, GatedSplit.of_split(tune, ALL, 1), GatedSplit.of_split(calibration, ALL, 1), 0.2, 0.95
    )
    assert certificate.status == "infeasible"
    assert (certificate.threshold, certificate.answered) == (None, None)
    assert (certificate.p_value, certificate.risk_bound) == (None, None)


def test_sequence_does_not_start_where_the_test_cannot_pass() -> None:
    """Of 60 tune examples the surest 30 are right, then one in three is wrong; calibration is all right."""
    confidence = np.linspace(1, 0.5, 60)
    wrong = (np.arange(60) >= 30) & (np.arange(60) % 3 == 0)
    sequence = ThresholdSequence.from_tune(confidence, wrong, np.ones(60, dtype=bool))
    start = sequence.start(60, 0.05, 0.95)
    assert sequence.answered[start] >= least_examples(0.05, 0.95) == 59
    nobody = np.zeros(60, dtype=bool)
    passed = fixed_sequence(sequence, confidence, nobody, ~nobody, 0.05, 0.95)
    assert passed is not None
    assert passed.answered == 60
