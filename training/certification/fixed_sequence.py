"""Fixed-sequence testing: the lowest threshold whose selective risk is certified to be within its target.

Learn then Test (Angelopoulos, Bates, Candes, Jordan and Lei 2021, arXiv 2110.01052), with fixed-sequence testing as its
control of the family-wise error rate. The thresholds and their order are fixed on `tune`. On `calibration` they are
tested in that order, each at the full error level, up to the first that fails; the last that passed is certified. The
probability that its risk exceeds the target is at most 1 - confidence. This assumes only that calibration examples, or
groups of them, are drawn independently from the population, and not from `tune`. The risk need not be monotone in the
threshold, and ties do no harm.

Two common rules give no such guarantee. The lowest threshold at which the calibration *error* is within the target
exceeds it half of the time. The lowest threshold that *passes its test* is the luckiest of many: where the risk is flat
around the target, it breaks the promise far more often than the level of the test. `tests/guarantees` shows both.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.certification.samples import GatedSplit, Sample
from training.certification.tails import binomial_p_value

_PROMISING = 0.001  # an expected p-value that leaves room for the calibration split to be worse than `tune`
_STEPS = 500  # thresholds, one for each 0.2 % of coverage on `tune`


@dataclass(frozen=True, slots=True)
class ThresholdSequence:
    """J falling thresholds, fixed before anyone looks at the calibration split, and the counts of `tune` at each."""

    thresholds: NDArray[np.float64]  # [J]
    answered: NDArray[np.int64]  # [J], of the tune examples
    errors: NDArray[np.int64]  # [J], among them
    size: int  # of tune

    @classmethod
    def from_tune(
        cls, confidence: NDArray[np.floating], wrong: NDArray[np.bool_], eligible: NDArray[np.bool_]
    ) -> "ThresholdSequence":
        """The confidences of the eligible tune examples at even steps of coverage, down to the lowest."""
        falling = np.sort(confidence[eligible].astype(np.float64))[::-1]
        ranks = np.ceil(np.arange(1, _STEPS + 1) * len(falling) / _STEPS).astype(np.int64)
        thresholds = np.unique(falling[ranks - 1])[::-1]
        return cls(thresholds, *count(confidence[eligible], wrong[eligible], thresholds), len(confidence))

    def start(self, calibration_size: int, risk: float, confidence_level: float) -> int:
        """The index of the first threshold to test on so many independent calibration rows.

        High thresholds have too few answers to pass, and a failure there would end the sequence. So it starts at the
        first threshold whose expected p-value is far below any usual error level. If there is none, it starts at the
        smallest expected p-value among the thresholds that could pass at all, that is, if none of their answers were
        wrong.
        """
        share = calibration_size / self.size
        answered = np.rint(self.answered * share).astype(np.int64)
        errors = np.rint(self.errors * share).astype(np.int64)
        possible = answered >= least_examples(risk, confidence_level)
        return start_at(binomial_p_value(errors, answered, risk), possible)

    def expected_threshold(self, calibration_size: int, risk: float, confidence_level: float) -> float | None:
        """The threshold that so many independent rows would certify if they were like `tune`; None if none."""
        share = calibration_size / self.size
        errors, answered = np.rint(self.errors * share), np.rint(self.answered * share)
        start = self.start(calibration_size, risk, confidence_level)
        p_values = binomial_p_value(errors.astype(np.int64), answered.astype(np.int64), risk)[start:]
        failed = np.flatnonzero(p_values > 1 - confidence_level)
        passed = int(failed[0]) if len(failed) else len(p_values)
        return float(self.thresholds[start + passed - 1]) if passed else None


def start_at(expected: NDArray[np.float64], possible: NDArray[np.bool_]) -> int:
    """The index to start at, from the expected p-value of each threshold and whether it could pass at all, `[J]`."""
    promising = np.flatnonzero(expected <= _PROMISING)
    if len(promising):
        return int(promising[0])
    candidates = np.flatnonzero(possible) if possible.any() else np.arange(len(expected))
    return int(candidates[np.argmin(expected[candidates])])


@dataclass(frozen=True, slots=True)
class LastPassed:
    """The last threshold of the sequence that passed its test, with the counts on the calibration split."""

    threshold: float
    answered: int
    errors: int
    p_value: float


def count(
    confidence: NDArray[np.floating], wrong: NDArray[np.bool_], thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each threshold, the number of examples with a confidence >= it, and the number of those that are wrong.

    Counts are integers throughout: an error rate times a count is not always the number of errors.

    >>> count(np.array([0.9, 0.8, 0.8, 0.6]), np.array([False, True, False, True]), np.array([0.9, 0.8, 0.5]))
    (array([1, 3, 4]), array([0, 1, 2]))
    """
    order = np.argsort(-confidence, kind="stable")
    answered = np.searchsorted(-confidence[order].astype(np.float64), -thresholds, side="right")
    errors = np.concatenate([[0], np.cumsum(wrong[order])])[answered]
    return answered.astype(np.int64), errors.astype(np.int64)


def fixed_sequence(
    sequence: ThresholdSequence,
    confidence: NDArray[np.floating],
    wrong: NDArray[np.bool_],
    eligible: NDArray[np.bool_],
    risk: float,
    confidence_level: float,
) -> LastPassed | None:
    """Test the thresholds on independent calibration rows up to the first failure; None if the first one fails.

    `confidence`, `wrong` and `eligible` `[N]` cover all rows; the model abstains where a row is not eligible.
    """
    start = sequence.start(len(confidence), risk, confidence_level)
    thresholds = sequence.thresholds[start:]
    answered, errors = count(confidence[eligible], wrong[eligible], thresholds)
    p_values = binomial_p_value(errors, answered, risk)
    failed = np.flatnonzero(~(p_values <= 1 - confidence_level))
    passed = int(failed[0]) if len(failed) else len(p_values)
    if passed == 0:
        return None
    last = passed - 1
    return LastPassed(float(thresholds[last]), int(answered[last]), int(errors[last]), float(p_values[last]))


def fixed_sequence_of_groups(
    sequence: ThresholdSequence,
    start: int,
    sample: Sample,
    calibration: GatedSplit,
    risk: float,
    confidence_level: float,
) -> LastPassed | None:
    """`fixed_sequence` for rows in groups, from the threshold with the index `start`."""
    confidence, losses, eligible = calibration.columns(sample)
    error, passed = 1 - confidence_level, None
    for threshold in sequence.thresholds[start:].tolist():
        answered = eligible & (confidence >= threshold)
        if not sample.p_value(losses, answered, risk, enough=error) <= error:
            break
        passed = threshold
    if passed is None:
        return None
    answered = eligible & (confidence >= passed)
    p_value = sample.p_value(losses, answered, risk)
    return LastPassed(passed, int(answered.sum()), int(losses[answered].sum()), p_value)


def last_passed(
    sequence: ThresholdSequence, start: int, sample: Sample, calibration: GatedSplit, risk: float, level: float
) -> LastPassed | None:
    """Run the fixed sequence on a sample of the calibration split. Independent rows determine their own `start`."""
    if sample.groups is not None:
        return fixed_sequence_of_groups(sequence, start, sample, calibration, risk, level)
    confidence, losses, eligible = calibration.columns(sample)
    return fixed_sequence(sequence, confidence, losses > 0, eligible, risk, level)


def least_examples(risk: float, confidence_level: float) -> int:
    """The fewest answers, all of them right, that certify a risk: ceil(log(1 - confidence) / log(1 - risk)).

    >>> [least_examples(risk, 0.95) for risk in (0.01, 0.02, 0.03, 0.05, 0.1)]
    [299, 149, 99, 59, 29]
    """
    return math.ceil(math.log(1 - confidence_level) / math.log(1 - risk))
