"""The certified selective risk: the certificate of a fixed sequence of tests, and the choice of the test.

Independent rows have one exact test. Rows in groups have two that are valid, and the one that promises to answer more
is chosen on `tune`, before the calibration split is looked at.
"""

from typing import NamedTuple

import numpy as np

from service.contract.certificates import RiskCertificate
from training.certification.fixed_sequence import Passed, Sequence, last_passed, start_at
from training.certification.samples import Sample, Side
from training.certification.tails import clopper_pearson_upper

METHOD = "Learn then Test, fixed sequence"


def certify(
    sequence: Sequence,
    tune: Side,
    calibration: Side,
    risk: float,
    level: float,
    family: int = 1,
    choice: "Choice | None" = None,
) -> RiskCertificate:
    """The certificate for one target risk, one of a `family` that is to hold together at the confidence level.

    `choice` is what `choose` says, where it was asked already.
    """
    own = level_of_each(level, family)
    choice = choice or choose(sequence, tune, calibration, risk, own)
    sample = calibration.samples[choice.which]
    passed = last_passed(sequence, choice.start, sample, calibration, risk, own)
    return RiskCertificate(
        status="certified" if passed else "infeasible",
        selective_risk=risk,
        confidence_level=level,
        family=family,
        threshold=passed.threshold if passed else None,
        answered=passed.answered if passed else None,
        errors=passed.errors if passed else None,
        p_value=passed.p_value if passed else None,
        risk_bound=_bound(sample, calibration, passed, risk, own) if passed else None,
        coverage=passed.answered / len(sample) if passed else None,
        method=METHOD,
        population=calibration.scored.population,
        size=len(sample),
        **sample.stated(),
        tune_fingerprint=tune.scored.fingerprint,
        calibration_fingerprint=calibration.scored.fingerprint,
    )


def level_of_each(level: float, family: int) -> float:
    """The confidence level of each of several promises that hold together at `level` (Bonferroni).

    >>> level_of_each(0.95, 1), round(level_of_each(0.95, 5), 10)
    (0.95, 0.99)
    """
    return 1 - (1 - level) / family


def _bound(sample: Sample, calibration: Side, passed: Passed, risk: float, level: float) -> float:
    if sample.groups is None:
        return clopper_pearson_upper(passed.errors, passed.answered, level)
    confidence, losses, eligible = calibration.of(sample)
    # The risk passed, so a bound over it is one of the search's tolerance.
    return min(risk, sample.upper(losses, eligible & (confidence >= passed.threshold), level))


class Choice(NamedTuple):
    """The test that promises to answer most, judged on `tune` alone."""

    which: int  # of the samples
    start: int  # the threshold that it tests first
    expected: float | None  # the threshold that it certifies where the calibration split is like tune


def choose(sequence: Sequence, tune: Side, calibration: Side, risk: float, level: float) -> Choice:
    """How to test a calibration split, of which no score is seen."""
    if not calibration.samples[0].grouped:
        size = len(calibration.scored)
        return Choice(0, sequence.start(size, risk, level), sequence.expected_threshold(size, risk, level))
    outlooks = [
        _outlook(sequence, ours, tune, len(theirs) / max(1, len(ours)), risk, level)
        for ours, theirs in zip(tune.outlooks, calibration.samples, strict=True)
    ]
    which = max(range(len(outlooks)), key=lambda i: outlooks[i].passed)
    start, passed = outlooks[which]
    return Choice(which, start, float(sequence.thresholds[passed - 1]) if passed else None)


class _Outlook(NamedTuple):
    """What a test would do if the calibration split were like tune."""

    start: int
    passed: int  # thresholds passed or skipped; 0 where the first fails


def _outlook(sequence: Sequence, sample: Sample, tune: Side, share: float, risk: float, level: float) -> _Outlook:
    confidence, losses, eligible = tune.of(sample)
    expected = np.array(
        [
            sample.expected_p_value(losses, eligible & (confidence >= threshold), risk, share)
            for threshold in sequence.thresholds.tolist()
        ]
    )
    start = start_at(expected, np.ones(len(expected), dtype=bool))
    failed = np.flatnonzero(expected[start:] > 1 - level)
    passed = int(failed[0]) if len(failed) else len(expected) - start
    return _Outlook(start, start + passed if passed else 0)
