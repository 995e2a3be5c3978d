"""Drift: how inputs are counted, when a window ends, and its comparison with the reference."""

import threading
from bisect import bisect_left
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from service.app import create_app
from service.inference.classifier import Scores
from service.inference.outcome import ModelRef
from service.monitoring.drift.drift import PSI_LIMIT, Drift
from service.monitoring.drift.schema import DriftResponse
from service.settings import Settings
from tests import tiny

REF = ModelRef(name="tiny", version="0" * 12)
# One input of each label, whose confidence and ood_score lie in the first, the second and the last bin.
ROWS = np.array([[0.4, 0.3, 0.3], [0.2, 0.6, 0.2], [0.05, 0.05, 0.9]], dtype=np.float32)
OOD = np.array([0.1, 1.0, 3.0], dtype=np.float32)


def _scores(kinds: list[int]) -> Scores:
    rows = ROWS[kinds]
    return Scores(rows, rows.max(axis=1), OOD[kinds])


def _state(drift: Drift) -> DriftResponse:
    return drift.state(REF, tiny.LABELS)


def _drift(*requests: list[int], window: int = 1000) -> DriftResponse:
    drift = Drift(tiny.REFERENCE, window)
    for kinds in requests:
        drift.record(_scores(kinds))
    return _state(drift)


def test_inputs_are_counted_in_the_bins_of_the_reference() -> None:
    state = _drift([0, 1] * 25, [2], [2] * 49)
    assert (state.inputs, state.window, state.window_number, state.inputs_since) == (100, 1000, 1, 0)
    assert (state.reference.split, state.reference.size) == ("calibration", 100)
    assert [(b.label, b.expected, b.observed) for b in state.labels.bins] == [
        ("dark", 0.1, 0.25),
        ("left", 0.6, 0.25),
        ("right", 0.3, 0.5),
    ]
    confidence = [(b.at_least, b.under, b.expected, b.observed) for b in state.confidence.bins]
    assert confidence == [(None, 0.5, 0.2, 0.25), (0.5, 0.8, 0.2, 0.25), (0.8, None, 0.6, 0.5)]
    ood_score = [(b.at_least, b.under, b.expected, b.observed) for b in state.ood_score.bins]
    assert ood_score == [(None, 0.5, 0.1, 0.25), (0.5, 2.0, 0.88, 0.25), (2.0, None, 0.02, 0.5)]


@pytest.mark.parametrize("together", [1, 100])
def test_value_on_an_edge_is_in_the_bin_above_it(together: int) -> None:
    drift = Drift(tiny.REFERENCE, 1000)
    rows = np.array([[0.5, 0.5, 0.0]] * together, dtype=np.float32)
    for _ in range(100 // together):
        drift.record(Scores(rows, rows.max(axis=1), np.full(together, 2.0, np.float32)))
    state = _state(drift)
    assert [b.observed for b in state.confidence.bins] == [0, 1, 0]
    assert [b.observed for b in state.ood_score.bins] == [0, 0, 1]


def test_labels_without_their_own_bin_share_the_last_one() -> None:
    drift = Drift(tiny.REFERENCE.model_copy(update={"own_labels": [1]}), 1000)
    drift.record(_scores([0] * 50 + [1] * 30 + [2] * 20))
    bins = [(b.label, b.expected, b.observed) for b in _state(drift).labels.bins]
    assert bins == [("left", 0.6, 0.3), (None, 0.4, 0.7)]


@pytest.mark.parametrize(("window", "ends"), [(1000, [100, 300, 700, 1500, 2500, 3500]), (150, [100, 250, 400, 550])])
def test_windows_double_up_to_the_size_that_is_set(window: int, ends: list[int]) -> None:
    drift = Drift(tiny.REFERENCE, window)
    for count in range(1, ends[-1] + 1):
        drift.record(_scores([1]))
        complete = bisect_left(ends, count + 1)
        assert drift.window_number == complete
        if count in ends or count + 1 in ends:
            state, bounds = _state(drift), [0, 0, *ends]
            assert (state.window_number, state.inputs_since) == (complete, count - bounds[complete + 1])
            assert state.inputs == bounds[complete + 1] - bounds[complete]


def test_windows_are_disjoint_and_show_nothing_until_complete() -> None:
    drift = Drift(tiny.REFERENCE, 100)
    for kinds, status in (([1] * 60 + [2] * 30 + [0] * 10, "stable"), ([0] * 100, "drifted")):
        before = _state(drift)
        for kind in kinds[:-1]:
            drift.record(_scores([kind]))
        assert _state(drift) == before.model_copy(update={"inputs_since": 99})
        drift.record(_scores(kinds[-1:]))
        assert _state(drift).labels.status == status


def test_request_that_completes_a_window_belongs_to_it_entirely() -> None:
    drift = Drift(tiny.REFERENCE, 1000)
    for inputs, expected in ((5000, (5000, 1, 0)), (199, (5000, 1, 199)), (101, (300, 2, 0)), (400, (400, 3, 0))):
        drift.record(_scores([1] * inputs))
        state = _state(drift)
        assert (state.inputs, state.window_number, state.inputs_since) == expected


def test_before_the_first_window_there_is_no_verdict() -> None:
    few, enough = _drift([2] * 99), _drift([2] * 100)
    assert (few.labels.status, few.labels.psi, few.labels.p_value) == ("too_few_inputs", None, None)
    assert (few.inputs, few.window_number, few.inputs_since) == (0, 0, 99)
    assert {b.observed for b in few.labels.bins} == {0}
    assert enough.labels.status == "drifted"


def test_inputs_like_the_reference_are_stable_and_others_are_not() -> None:
    similar = _drift([0] * 10 + [1] * 60 + [2] * 30)
    assert (similar.labels.status, similar.labels.p_value) == ("stable", 1.0)
    assert similar.labels.psi == pytest.approx(0, abs=1e-12)
    shifted = _drift([0] * 60 + [1] * 10 + [2] * 30)
    assert (shifted.labels.status, shifted.labels.p_value) == ("drifted", 1 / 40_000)


def test_significant_but_small_shift_is_slight() -> None:
    reference = tiny.REFERENCE.model_copy(update={"labels": [25_000, 50_000, 25_000], "size": 100_000})
    drift = Drift(reference, 100_000)
    drift.record(_scores([0] * 27_000 + [1] * 48_000 + [2] * 25_000))
    labels = _state(drift).labels
    assert labels.p_value == 1 / 40_000
    assert labels.psi is not None
    assert 0 < labels.psi < PSI_LIMIT
    assert labels.status == "slight"


@pytest.mark.parametrize("request_inputs", [[1], [0, 1, 2, 2]])
def test_counting_from_many_threads_loses_nothing(request_inputs: list[int]) -> None:
    drift, scores = Drift(tiny.REFERENCE, 100), _scores(request_inputs)

    def record() -> None:
        for _ in range(500):
            drift.record(scores)

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = _state(drift)
    assert (state.window_number, state.inputs, state.inputs_since) == (8 * 5 * len(request_inputs), 100, 0)
    assert [b.observed * len(request_inputs) for b in state.labels.bins] == np.bincount(
        request_inputs, minlength=3
    ).tolist()


def test_route_shows_recent_inputs(tiny_model: Path) -> None:
    with TestClient(create_app(Settings(model_path=tiny_model, drift_window=200))) as client:
        assert client.get("/drift").json()["labels"]["status"] == "too_few_inputs"
        body = tiny.IMAGES[1:2].repeat(150, axis=0).tobytes()
        for _ in range(2):
            answer = client.post("/predict", content=body, headers={"content-type": "application/octet-stream"})
            assert answer.status_code == 200
        drift = client.get("/models/tiny/drift").json()
    assert [drift[name] for name in ("inputs", "window", "window_number", "inputs_since")] == [150, 200, 1, 150]
    assert drift["model"] == answer.json()["model"]
    assert [b["observed"] for b in drift["labels"]["bins"]] == [0, 1, 0]
    assert drift["labels"]["status"] == "drifted"
    assert drift["ood_score"]["bins"][1] == {"at_least": 0.5, "under": 2.0, "expected": 0.88, "observed": 1.0}


def test_refused_requests_are_not_counted(tiny_model: Path) -> None:
    with TestClient(create_app(Settings(model_path=tiny_model))) as client:
        assert client.post("/predict", json={"inputs": [[[0, 256]]]}).status_code == 422
        assert client.get("/drift").json()["inputs_since"] == 0


def _float32_near(values: list[float]) -> st.SearchStrategy[float]:
    """Each value as float32, its neighbours, and any other score."""
    exact = [float(np.float32(value)) for value in values]
    neighbours = [float(np.nextafter(np.float32(value), np.float32(to))) for value in values for to in (-1, 9)]
    return st.one_of(st.sampled_from(exact + neighbours), st.floats(0, 10, width=32))


@settings(
    max_examples=50, deadline=None, database=None, derandomize=True
)  # the exact test of a window takes up to a second
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(tiny.LABELS) - 1),
            _float32_near(tiny.REFERENCE.confidence.edges),
            _float32_near(tiny.REFERENCE.ood_score.edges),
        ),
        min_size=2,
        max_size=20,
    )
)
def test_inputs_count_the_same_one_by_one_and_together(inputs: list[tuple[int, float, float]]) -> None:
    labels, confidences, ood_scores = zip(*inputs, strict=True)
    scores = Scores(
        np.eye(len(tiny.LABELS), dtype=np.float32)[list(labels)],
        np.array(confidences, np.float32),
        np.array(ood_scores, np.float32),
    )
    together, one_by_one = (Drift(tiny.REFERENCE, len(inputs)) for _ in range(2))
    together.record(scores)
    for i in range(len(inputs)):
        one_by_one.record(
            Scores(*(part[i : i + 1] for part in (scores.probabilities, scores.confidence, scores.ood_score)))
        )
    assert _state(together).inputs == len(inputs)
    assert _state(one_by_one) == _state(together)
