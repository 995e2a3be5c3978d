"""Fixed-sequence testing: at how low a threshold the selective risk is still within its target.

Angelopoulos, Bates, Candes, Jordan and Lei 2021 (arXiv 2110.01052). Thresholds, and the order in which they are
tested, are fixed on `tune`. On `calibration` they are tested in that order, each at the full error level, up to the
first that fails; the last that passed is the threshold. The probability that its risk is over the target is at most
1 - confidence, whatever the scores look like: the risk need not fall as the threshold rises, and ties do no harm.

Two rules that are often seen instead promise nothing. The lowest threshold at which the calibration *error* is within
the target breaks it half the time. The lowest threshold that *passes the test* is the luckiest of many: where the risk
is flat around the target it breaks the promise far more often than the test's level. `tests/guarantees` shows both.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.certification.samples import Sample, Side
from training.certification.tails import binomial_p_value

_HOPEFUL = 0.001  # an expected p-value that leaves room for the calibration split to be worse than `tune`
_STEPS = 500  # thresholds, one for each 0.2 % of coverage on `tune`


@dataclass(frozen=True, slots=True)
class Sequence:
    """What is fixed before the calibration split is looked at: J thresholds, falling, and what `tune` had there."""

    thresholds: NDArray[np.float64]  # [J]
    answered: NDArray[np.int64]  # [J], of the tune examples
    errors: NDArray[np.int64]  # [J], among them
    size: int  # of tune

    @classmethod
    def on(cls, confidence: NDArray[np.floating], wrong: NDArray[np.bool_], eligible: NDArray[np.bool_]) -> "Sequence":
        """The sequence for a tune split: its eligible confidences at even steps of coverage, the last one all."""
        falling = np.sort(confidence[eligible].astype(np.float64))[::-1]
        ranks = np.ceil(np.arange(1, _STEPS + 1) * len(falling) / _STEPS).astype(np.int64)
        thresholds = np.unique(falling[ranks - 1])[::-1]
        return cls(thresholds, *count(confidence[eligible], wrong[eligible], thresholds), len(confidence))

    def start(self, calibration_size: int, risk: float, confidence_level: float) -> int:
        """The index of the first threshold to test on so many independent calibration rows.

        The strictest that `tune` gives every hope to pass. Strict ones have too few answers to pass, and a failure
        there would end the sequence for nothing. So it starts where the expected p-value first is far under any level
        that is asked for; where it never is, at the smallest of those that could pass at all, with as many answers and
        no error.
        """
        share = calibration_size / self.size
        answered = np.rint(self.answered * share).astype(np.int64)
        errors = np.rint(self.errors * share).astype(np.int64)
        possible = answered >= least_examples(risk, confidence_level)
        return start_at(binomial_p_value(errors, answered, risk), possible)

    def expected_threshold(self, calibration_size: int, risk: float, confidence_level: float) -> float | None:
        """The threshold that so many independent rows would certify if they looked like `tune`; None if none."""
        share = calibration_size / self.size
        errors, answered = np.rint(self.errors * share), np.rint(self.answered * share)
        start = self.start(calibration_size, risk, confidence_level)
        p_values = binomial_p_value(errors.astype(np.int64), answered.astype(np.int64), risk)[start:]
        failed = np.flatnonzero(p_values > 1 - confidence_level)
        passed = int(failed[0]) if len(failed) else len(p_values)
        return float(self.thresholds[start + passed - 1]) if passed else None


def start_at(expected: NDArray[np.float64], possible: NDArray[np.bool_]) -> int:
    """Where to start, by the p-value expected at each threshold and by whether any at all could pass there, `[J]`."""
    hopeful = np.flatnonzero(expected <= _HOPEFUL)
    if len(hopeful):
        return int(hopeful[0])
    among = np.flatnonzero(possible) if possible.any() else np.arange(len(expected))
    return int(among[np.argmin(expected[among])])


@dataclass(frozen=True, slots=True)
class Passed:
    """The last threshold of the sequence that passed, and the calibration examples behind it."""

    threshold: float
    answered: int
    errors: int
    p_value: float


def count(
    confidence: NDArray[np.floating], wrong: NDArray[np.bool_], thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many examples have a confidence >= each of the thresholds, and how many of those are wrong.

    Integers throughout: an error rate times a count is not always the count of errors.

    >>> count(np.array([0.9, 0.8, 0.8, 0.6]), np.array([False, True, False, True]), np.array([0.9, 0.8, 0.5]))
    (array([1, 3, 4]), array([0, 1, 2]))
    """
    order = np.argsort(-confidence, kind="stable")
    answered = np.searchsorted(-confidence[order].astype(np.float64), -thresholds, side="right")
    errors = np.concatenate([[0], np.cumsum(wrong[order])])[answered]
    return answered.astype(np.int64), errors.astype(np.int64)


def fixed_sequence(
    sequence: Sequence,
    confidence: NDArray[np.floating],
    wrong: NDArray[np.bool_],
    eligible: NDArray[np.bool_],
    risk: float,
    confidence_level: float,
) -> Passed | None:
    """Test the thresholds on independent calibration rows, in order, up to the first failure; None where the first is.

    `confidence`, `wrong` and `eligible` `[N]` are of all rows: what is not eligible is not answered.
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
    return Passed(float(thresholds[last]), int(answered[last]), int(errors[last]), float(p_values[last]))


def fixed_sequence_of_groups(
    sequence: Sequence, start: int, sample: Sample, calibration: Side, risk: float, confidence_level: float
) -> Passed | None:
    """The same on groups of rows, from the threshold `start` on."""
    confidence, losses, eligible = calibration.of(sample)
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
    return Passed(passed, int(answered.sum()), int(losses[answered].sum()), p_value)


def last_passed(
    sequence: Sequence, start: int, sample: Sample, calibration: Side, risk: float, level: float
) -> Passed | None:
    """The fixed sequence on a sample of the calibration split; rows that are independent find their own `start`."""
    if sample.groups is not None:
        return fixed_sequence_of_groups(sequence, start, sample, calibration, risk, level)
    confidence, losses, eligible = calibration.of(sample)
    return fixed_sequence(sequence, confidence, losses > 0, eligible, risk, level)


def least_examples(risk: float, confidence_level: float) -> int:
    """The fewest answers, all of them right, that certify a risk: ceil(log(1 - confidence) / log(1 - risk)).

    >>> [least_examples(risk, 0.95) for risk in (0.01, 0.02, 0.03, 0.05, 0.1)]
    [299, 149, 99, 59, 29]
    """
    return math.ceil(math.log(1 - confidence_level) / math.log(1 - risk))
