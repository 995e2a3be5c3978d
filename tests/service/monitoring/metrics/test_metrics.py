"""Counts of exchanges and scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.contract.policy import NeverAbstainPolicy, Policy, PolicyRequest, ThresholdPolicy
from service.inference.classifier import Scores
from service.inference.decision import ANSWER, outcomes, possible_reasons, resolve
from service.inference.outcome import ModelRef, Outcome
from service.monitoring.metrics.metrics import CONFIDENCES, SECONDS, Confidences, Metrics, policy_name
from service.monitoring.metrics.tallies import Tallies
from service.monitoring.requests.exchange import UNMATCHED, Exchange
from service.monitoring.worker_slot import ALONE, WorkerSlot
from tests import tiny

MODEL = ModelRef(name="m", version="0123456789ab")
POLICIES = [
    PolicyRequest(threshold=0.6),
    PolicyRequest(never_abstain=True),
    PolicyRequest(selective_risk=0.1),
    PolicyRequest(selective_risk=0.01),
    PolicyRequest(reject_cost=0.2),
    PolicyRequest(reject_cost=0.01),
]


def _exchange(**changed: Any) -> Exchange:
    plain = Exchange("id", None, "POST", "/predict", "/predict", 200, 0.0, 0.002, None)
    return plain._replace(**changed)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(Tallies(ALONE))


def test_request_is_counted_by_method_route_and_status(metrics: Metrics) -> None:
    for exchange in (
        _exchange(),
        _exchange(),
        _exchange(status=422),
        _exchange(route=UNMATCHED, path="/x", status=404),
    ):
        metrics([exchange])
    totals = metrics.tallies.totals()
    assert totals["requests", "POST", "/predict", "200"] == [2]
    assert totals["requests", "POST", "/predict", "422"] == [1]
    assert totals["requests", "POST", UNMATCHED, "404"] == [1]
    assert not any("/x" in key for key in totals)


def test_unknown_methods_are_counted_as_one(metrics: Metrics) -> None:
    for method in ("BREW", "PROPFIND", "get"):
        metrics([_exchange(method=method)])
    keys = [key for key in metrics.tallies.totals() if key[0] == "requests"]
    assert keys == [("requests", "other", "/predict", "200")]


@pytest.mark.parametrize(("seconds", "bin_"), [(0.0, 0), (0.0001, 0), (0.00011, 1), (10.0, 15), (10.1, 16)])
def test_duration_falls_into_the_bin_that_ends_at_it_or_above(metrics: Metrics, seconds: float, bin_: int) -> None:
    metrics([_exchange(seconds=seconds)])
    *bins, total = metrics.tallies.totals()["durations", "/predict", "200"]
    assert (bins.index(1), sum(bins), total) == (bin_, 1, seconds)
    assert len(bins) == len(SECONDS) + 1


def test_decisions_are_counted_by_model_policy_and_reason(metrics: Metrics) -> None:
    abstention = tiny.abstention()
    for requested in POLICIES:
        decided = Outcome(MODEL, resolve(requested, abstention), {"answer": 2, "low_confidence": 1})
        metrics([_exchange(decided=decided)])
    metrics([_exchange(decided=Outcome(MODEL, ThresholdPolicy(threshold=0.5), {"answer": 1}))])
    counts = {key[2:]: numbers for key, numbers in metrics.tallies.totals().items() if key[0] == "decisions"}
    assert counts["threshold", "answer"] == [3]  # all thresholds together, since clients choose them
    assert counts["selective_risk=0.1", "low_confidence"] == [1]
    assert {policy for policy, _ in counts} == {
        "threshold",
        "never_abstain",
        "selective_risk=0.1",
        "selective_risk=0.01",
        "reject_cost=0.2",
        "reject_cost=0.01",
    }


@pytest.mark.parametrize(
    "requested", POLICIES, ids=lambda requested: policy_name(resolve(requested, tiny.abstention()))
)
def test_possible_reasons_are_those_that_inputs_get(requested: PolicyRequest) -> None:
    abstention = tiny.abstention()
    policy: Policy = resolve(requested, abstention)
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.5] * 3, 300).astype(np.float32)
    ood_score = rng.uniform(0, 8, 300).astype(np.float32)
    scores = Scores(probabilities, probabilities.max(axis=1), ood_score)
    reasons = set(outcomes(scores, policy, abstention).tally())
    answers = set() if possible_reasons(policy) == ("no_certified_threshold",) else {ANSWER}
    assert reasons == {*answers, *possible_reasons(policy)}
    assert isinstance(policy, NeverAbstainPolicy) == (not possible_reasons(policy))


def test_one_input_and_many_are_counted_alike() -> None:
    rng = np.random.default_rng(0)
    confidence = np.concatenate([rng.uniform(0, 1, 500), CONFIDENCES]).astype(np.float32)  # the edges too
    together, single = Tallies(ALONE), Tallies(ALONE)
    nothing = np.zeros((len(confidence), 0), np.float32)
    Confidences(together, "m").record(Scores(nothing, confidence, confidence))
    one_by_one = Confidences(single, "m")
    for i in range(len(confidence)):
        one_by_one.record(Scores(nothing[i : i + 1], confidence[i : i + 1], confidence[i : i + 1]))
    *bins, total = together.totals()["confidence", "m"]
    *bins_by_one, total_by_one = single.totals()["confidence", "m"]
    assert bins == bins_by_one
    assert total == pytest.approx(total_by_one)
    edges = np.array(CONFIDENCES, np.float32)
    assert np.cumsum(bins[:-1]).tolist() == [(confidence <= edge).sum() for edge in edges]
    assert bins[-1] == 0  # none is over 1


def test_replacement_worker_has_nothing_in_flight(tmp_path: Path) -> None:
    place = WorkerSlot(tmp_path, 0, 1)
    killed = Metrics(Tallies(place))
    killed([_exchange()])
    killed.begin()
    killed.drain()
    before = killed.tallies.totals()
    assert (before["in_flight",], before["draining",], before["restarts",]) == ([1], [1], [0])
    after = Metrics(Tallies(place)).tallies.totals()
    assert (after["in_flight",], after["draining",], after["restarts",]) == ([0], [0], [1])
    assert after["requests", "POST", "/predict", "200"] == [1]


_EDGES = [float(np.float32(edge)) for edge in CONFIDENCES]
_NEAR = [float(np.nextafter(np.float32(edge), np.float32(to))) for edge in CONFIDENCES for to in (0, 2)]


@settings(deadline=None, database=None, derandomize=True)
@given(st.lists(st.one_of(st.sampled_from(_EDGES + _NEAR), st.floats(0, 1, width=32)), min_size=2, max_size=50))
def test_confidences_count_the_same_one_by_one_and_together(values: list[float]) -> None:
    together, one_by_one = Tallies(ALONE), Tallies(ALONE)
    confidences = np.array(values, np.float32)
    Confidences(together, "m").record(Scores(confidences[:, None], confidences, confidences))
    histogram = Confidences(one_by_one, "m")
    for value in confidences:
        histogram.record(Scores(value[None, None], value[None], value[None]))
    expected, counted = (tallies.totals()["confidence", "m"] for tallies in (together, one_by_one))
    assert counted[:-1] == expected[:-1]
    assert sum(counted[:-1]) == len(values)
    assert counted[-1] == pytest.approx(expected[-1], rel=1e-12)
