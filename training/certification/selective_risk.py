"""The certificate of a selective risk: choose the test on `tune`, then run the fixed sequence on `calibration`.

Independent rows have one exact test. Rows in groups have two valid tests; the one that is expected to answer more is
chosen on `tune`, before anyone looks at the calibration split.
"""

from typing import NamedTuple

import numpy as np

from service.contract.certificates import RiskCertificate
from training.certification.fixed_sequence import LastPassed, ThresholdSequence, last_passed, start_at
from training.certification.samples import GatedSplit, Sample
from training.certification.settings import bonferroni
from training.certification.tails import clopper_pearson_upper

METHOD = "Learn then Test, fixed sequence"


class Choice(NamedTuple):
    """The test that is expected to answer most, judged on `tune` alone."""

    sample: int  # index into the samples of a split
    start: int  # index of the first threshold to test
    expected: float | None  # the threshold to be certified if the calibration split is like tune


def certify(
    sequence: ThresholdSequence,
    tune: GatedSplit,
    calibration: GatedSplit,
    risk: float,
    level: float,
    family: int = 1,
    choice: Choice | None = None,
) -> RiskCertificate:
    """The certificate of one target risk, of `family` that hold together at the confidence level.

    `choice` is the result of `choose`, if it is there already.
    """
    own_level = bonferroni(level, family)
    choice = choice or choose(sequence, tune, calibration, risk, own_level)
    sample = calibration.samples[choice.sample]
    passed = last_passed(sequence, choice.start, sample, calibration, risk, own_level)
    return RiskCertificate(
        status="certified" if passed else "infeasible",
        selective_risk=risk,
        confidence_level=level,
        family=family,
        threshold=passed.threshold if passed else None,
        answered=passed.answered if passed else None,
        errors=passed.errors if passed else None,
        p_value=passed.p_value if passed else None,
        risk_bound=_bound(sample, calibration, passed, risk, own_level) if passed else None,
        coverage=passed.answered / len(sample) if passed else None,
        method=METHOD,
        population=calibration.scored.population,
        size=len(sample),
        **sample.certificate_fields(),
        tune_fingerprint=tune.scored.fingerprint,
        calibration_fingerprint=calibration.scored.fingerprint,
    )


def _bound(sample: Sample, calibration: GatedSplit, passed: LastPassed, risk: float, level: float) -> float:
    if sample.groups is None:
        return clopper_pearson_upper(passed.errors, passed.answered, level)
    confidence, losses, eligible = calibration.columns(sample)
    # The risk passed its test, so a bound above it is due to the tolerance of the search.
    return min(risk, sample.upper(losses, eligible & (confidence >= passed.threshold), level))


def choose(sequence: ThresholdSequence, tune: GatedSplit, calibration: GatedSplit, risk: float, level: float) -> Choice:
    """Choose the test of a calibration split. Uses the sizes of its samples and none of its scores."""
    if not calibration.samples[0].grouped:
        size = len(calibration.scored)
        return Choice(0, sequence.start(size, risk, level), sequence.expected_threshold(size, risk, level))
    forecasts = [
        _forecast(sequence, ours, tune, len(theirs) / max(1, len(ours)), risk, level)
        for ours, theirs in zip(tune.forecast_samples, calibration.samples, strict=True)
    ]
    best = max(range(len(forecasts)), key=lambda i: forecasts[i].passed)
    start, passed = forecasts[best]
    return Choice(best, start, float(sequence.thresholds[passed - 1]) if passed else None)


class _Forecast(NamedTuple):
    """The outcome of a test if the calibration split is like tune."""

    start: int
    passed: int  # thresholds passed or skipped; 0 if the first one fails


def _forecast(
    sequence: ThresholdSequence, sample: Sample, tune: GatedSplit, share: float, risk: float, level: float
) -> _Forecast:
    confidence, losses, eligible = tune.columns(sample)
    expected = np.array(
        [
            sample.expected_p_value(losses, eligible & (confidence >= threshold), risk, share)
            for threshold in sequence.thresholds.tolist()
        ]
    )
    start = start_at(expected, np.ones(len(expected), dtype=bool))
    failed = np.flatnonzero(expected[start:] > 1 - level)
    passed = int(failed[0]) if len(failed) else len(expected) - start
    return _Forecast(start, start + passed if passed else 0)
