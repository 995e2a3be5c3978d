"""Recent inputs beside the reference: what is counted, what is said, and how often chance is called drift."""

import threading
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from scipy import stats

from service.app import create_app
from service.classifier import Scores
from service.monitoring.drift import PSI_LIMIT, SIGNIFICANCE, Drift, exact_p_value, population_stability_index
from service.schemas.drift import DriftResponse
from service.schemas.models import ModelRef
from service.settings import Settings
from tests import tiny

REF = ModelRef(name="tiny", version="0" * 12)
# One input of each label, whose confidence and ood_score lie in the first, the second and the last bin.
ROWS = np.array([[0.4, 0.3, 0.3], [0.2, 0.6, 0.2], [0.05, 0.05, 0.9]], dtype=np.float32)
OOD = np.array([0.1, 1.0, 3.0], dtype=np.float32)


def _scores(which: list[int]) -> Scores:
    rows = ROWS[which]
    return Scores(rows, rows.max(axis=1), OOD[which])


def _state(drift: Drift) -> DriftResponse:
    return drift.state(REF, tiny.LABELS)


def _drift(*requests: list[int], window: int = 1000) -> DriftResponse:
    drift = Drift(tiny.REFERENCE, window)
    for which in requests:
        drift.record(_scores(which))
    return _state(drift)


def test_inputs_are_counted_in_the_bins_of_the_reference() -> None:
    found = _drift([0, 1], [2], [2])
    assert (found.inputs, found.window) == (4, 1000)
    assert (found.reference.split, found.reference.size) == ("calibration", 100)
    assert [(b.label, b.expected, b.observed) for b in found.labels.bins] == [
        ("dark", 0.1, 0.25),
        ("left", 0.6, 0.25),
        ("right", 0.3, 0.5),
    ]
    confidence = [(b.at_least, b.under, b.expected, b.observed) for b in found.confidence.bins]
    assert confidence == [(None, 0.5, 0.2, 0.25), (0.5, 0.8, 0.2, 0.25), (0.8, None, 0.6, 0.5)]
    ood_score = [(b.at_least, b.under, b.expected, b.observed) for b in found.ood_score.bins]
    assert ood_score == [(None, 0.5, 0.1, 0.25), (0.5, 2.0, 0.88, 0.25), (2.0, None, 0.02, 0.5)]


def test_value_on_an_edge_is_in_the_bin_above_it() -> None:
    drift = Drift(tiny.REFERENCE, 1000)
    row = np.array([[0.5, 0.5, 0.0]], dtype=np.float32)
    drift.record(Scores(row, row.max(axis=1), np.array([2.0], dtype=np.float32)))
    found = _state(drift)
    assert [b.observed for b in found.confidence.bins] == [0, 1, 0]
    assert [b.observed for b in found.ood_score.bins] == [0, 0, 1]


def test_only_the_latest_are_held() -> None:
    found = _drift([0] * 100, [1] * 700, [2] * 30, window=100)
    assert found.inputs == 100
    assert [b.observed for b in found.labels.bins] == [0, 0.7, 0.3]


def test_too_few_inputs_are_not_judged() -> None:
    few, enough = _drift([2] * 99), _drift([2] * 100)
    assert (few.labels.status, few.labels.psi, few.labels.p_value) == ("too_few_inputs", None, None)
    assert enough.labels.status == "drifted"


def test_inputs_like_the_reference_are_stable_and_others_are_not() -> None:
    alike = _drift([0] * 10 + [1] * 60 + [2] * 30)
    assert (alike.labels.status, alike.labels.p_value) == ("stable", 1.0)
    assert alike.labels.psi == pytest.approx(0, abs=1e-12)
    other = _drift([0] * 60 + [1] * 10 + [2] * 30)
    assert (other.labels.status, other.labels.p_value) == ("drifted", 0.001)


def test_shift_that_is_sure_but_small_is_slight() -> None:
    reference = tiny.REFERENCE.model_copy(update={"labels": [25_000, 50_000, 25_000], "size": 100_000})
    drift = Drift(reference, 100_000)
    drift.record(_scores([0] * 27_000 + [1] * 48_000 + [2] * 25_000))
    found = _state(drift).labels
    assert found.p_value == 0.001
    assert found.psi is not None
    assert 0 < found.psi < PSI_LIMIT
    assert found.status == "slight"


def test_psi_is_that_of_the_formula() -> None:
    p, q = np.array([10, 20, 70]), np.array([30, 30, 40])
    shares_p, shares_q = (p + 0.5) / 101.5, (q + 0.5) / 101.5
    by_hand = stats.entropy(shares_p, shares_q) + stats.entropy(shares_q, shares_p)
    assert population_stability_index(p, q) == pytest.approx(by_hand)


def test_p_value_is_close_to_that_of_the_large_sample_test() -> None:
    p, q = np.array([500, 300, 200]), np.array([540, 270, 190])
    _, expected, _, _ = stats.chi2_contingency(np.stack([p, q]))
    assert exact_p_value(p, q) == pytest.approx(expected, abs=0.04)


def test_p_value_holds_for_small_samples() -> None:
    """Under one population it is at most alpha in at most alpha of the cases, small bins or not."""
    rng = np.random.default_rng(1)
    shares = [0.9, 0.05, 0.03, 0.02]
    p_values = [exact_p_value(rng.multinomial(40, shares), rng.multinomial(25, shares)) for _ in range(1000)]
    for alpha in (0.01, 0.05, 0.2):
        rejected = sum(p <= alpha for p in p_values)
        assert rejected <= stats.binom.ppf(0.9999, 1000, alpha)


def test_chance_alone_is_rarely_called_drift() -> None:
    rng = np.random.default_rng(2)
    shares = np.full(12, 1 / 12)
    called = sum(
        exact_p_value(expected, observed) <= SIGNIFICANCE
        and population_stability_index(expected, observed) >= PSI_LIMIT
        for expected, observed in zip(rng.multinomial(300, shares, 400), rng.multinomial(100, shares, 400), strict=True)
    )
    assert called <= stats.binom.ppf(0.9999, 400, SIGNIFICANCE)


def test_counting_from_many_threads_loses_nothing() -> None:
    drift = Drift(tiny.REFERENCE, 100_000)

    def record() -> None:
        for _ in range(500):
            drift.record(_scores([0, 1, 2]))

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = _state(drift)
    assert found.inputs == 8 * 500 * 3
    assert [b.observed for b in found.labels.bins] == pytest.approx([1 / 3] * 3)


def test_route_shows_what_was_asked(tiny_model: Path) -> None:
    with TestClient(create_app(Settings(model_path=tiny_model, drift_window=200))) as client:
        assert client.get("/drift").json()["labels"]["status"] == "too_few_inputs"
        body = tiny.IMAGES[1:2].repeat(150, axis=0).tobytes()
        for _ in range(2):
            answer = client.post("/predict", content=body, headers={"content-type": "application/octet-stream"})
            assert answer.status_code == 200
        found = client.get("/models/tiny/drift").json()
    assert (found["inputs"], found["window"]) == (200, 200)
    assert found["model"] == answer.json()["model"]
    assert [b["observed"] for b in found["labels"]["bins"]] == [0, 1, 0]
    assert found["labels"]["status"] == "drifted"
    assert found["ood_score"]["bins"][1] == {"at_least": 0.5, "under": 2.0, "expected": 0.88, "observed": 1.0}


def test_refused_requests_are_not_counted(tiny_model: Path) -> None:
    with TestClient(create_app(Settings(model_path=tiny_model))) as client:
        assert client.post("/predict", json={"inputs": [[[0, 256]]]}).status_code == 422
        assert client.get("/drift").json()["inputs"] == 0
