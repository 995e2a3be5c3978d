"""`GET /drift` keeps its false alarm rate, however often it is called, and detects a real shift."""

import numpy as np
import pytest
from scipy.stats import binom

from service.contract.reference import Reference
from service.inference.classifier import Scores
from service.inference.outcome import ModelRef
from service.monitoring.drift.drift import FALSE_ALARM_RATE, Drift
from service.monitoring.drift.permutation_test import exact_p_value
from service.monitoring.drift.schema import DriftResponse
from training.certification.reference import reference

pytestmark = pytest.mark.guarantee

_LABELS = ["a", "b", "c", "d"]
_MODEL = ModelRef(name="synthetic", version="0" * 12)


def _inputs(rng: np.random.Generator, size: int, sure: float = 4) -> Scores:
    """Independent inputs of four classes, with a mean confidence of 0.3 + 0.7 sure / (1 + sure)."""
    confidence = 0.3 + 0.7 * rng.beta(sure, 1, size)
    rows = np.repeat((1 - confidence[:, None]) / 3, len(_LABELS), axis=1)
    rows[np.arange(size), rng.choice(len(_LABELS), size, p=[0.4, 0.3, 0.2, 0.1])] = confidence
    probabilities = rows.astype(np.float32)
    return Scores(probabilities, probabilities.max(axis=1), rng.exponential(size=size).astype(np.float32))


def _reference(rng: np.random.Generator, size: int, others: int) -> Reference:
    scores = _inputs(rng, size)
    return reference("calibration", "0" * 64, scores, _inputs(rng, others) if others else scores)


def _state(drift: Drift) -> DriftResponse:
    return drift.state(_MODEL, _LABELS)


def _p_values(repeat: int, others: int) -> tuple[float, float]:
    """The p-values of the two scores for a window of 10,000 and a reference of 60."""
    rng = np.random.default_rng([30, repeat])
    drift = Drift(_reference(rng, 60, others), 10_000)
    drift.record(_inputs(rng, 10_000))
    state = _state(drift)
    assert state.inputs == 10_000
    assert state.confidence.p_value is not None
    assert state.ood_score.p_value is not None
    return state.confidence.p_value, state.ood_score.p_value


def test_p_value_is_exact_where_other_examples_fixed_the_bins() -> None:
    repeats = 1_500
    p_values = np.array([_p_values(repeat, others=60) for repeat in range(repeats)])
    for level in (0.01, 0.1, 0.5):
        assert ((p_values <= level).sum(axis=0) <= binom.ppf(0.999, repeats, level)).all()
    assert ((p_values <= 0.5).mean(axis=0) > 0.4).all()  # but not by p-values near 1


def test_p_value_is_too_small_too_often_where_the_reference_fixed_its_own_bins() -> None:
    repeats = 500
    p_values = np.array([_p_values(repeat, others=0) for repeat in range(repeats)])
    assert ((p_values <= 0.1).sum(axis=0) > binom.ppf(0.999, repeats, 0.1)).all()


def _ever_not_stable(repeat: int, window: int, inputs: int) -> bool:
    """Whether a shift is ever reported to a client that calls after every 200 good inputs."""
    rng = np.random.default_rng([31, repeat])
    drift = Drift(_reference(rng, 5_000, 5_000), window)
    for _ in range(inputs // 200):
        drift.record(_inputs(rng, 100))
        drift.record(_inputs(rng, 100))
        state = _state(drift)
        if not {state.labels.status, state.confidence.status, state.ood_score.status} <= {"stable"}:
            return True
    return False


@pytest.mark.parametrize(("window", "repeats"), [(10_000, 100), (1_000, 20)])
def test_good_inputs_are_not_called_drift_in_99_of_100_runs(window: int, repeats: int) -> None:
    alarms = sum(_ever_not_stable(repeat, window, 100_000) for repeat in range(repeats))
    assert alarms <= binom.ppf(0.999, repeats, 100 * FALSE_ALARM_RATE)


@pytest.mark.parametrize(("inputs", "sure"), [(10_000, 3.4), (1_000, 2.8), (100, 1.6)])
def test_shift_is_detected_within_one_window(inputs: int, sure: float) -> None:
    """The false alarm rate is not kept by never raising one: confidence falls by 1.9, 4.4 and 12.9 points."""
    for repeat in range(20):
        rng = np.random.default_rng([32, repeat])
        drift = Drift(_reference(rng, 5_000, 5_000), 100)  # each request has 100 inputs or more, so it fills a window
        drift.record(_inputs(rng, inputs))
        assert _state(drift).confidence.status == "stable"
        drift.record(_inputs(rng, inputs, sure))
        state = _state(drift)
        assert state.window_number == 2
        assert state.confidence.status in ("slight", "drifted")
        assert state.ood_score.status == "stable"  # unchanged


def test_p_value_in_stages_is_valid_at_the_levels_that_each_stage_decides() -> None:
    repeats, shares = 12_000, [0.5, 0.3, 0.2]
    rng = np.random.default_rng(33)
    samples = zip(rng.multinomial(300, shares, repeats), rng.multinomial(400, shares, repeats), strict=True)
    p_values = np.array([exact_p_value(*sample) for sample in samples])
    for level in (0.05, 0.005, 0.0005):
        assert (p_values <= level).sum() <= binom.ppf(0.999, repeats, level)
    assert (p_values <= 0.005).mean() > 0.003
