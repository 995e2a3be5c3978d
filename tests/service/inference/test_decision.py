"""The decisions of the policies."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from service.contract.errors import InvalidValue
from service.contract.policy import NeverAbstainPolicy, Policy, PolicyRequest, RejectCostPolicy, ThresholdPolicy
from service.inference.classifier import Scores
from service.inference.decision import Decision, cheapest, decide, resolve, top_k
from tests import tiny

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.45, 0.45], [0.2, 0.2, 0.6]], dtype=np.float32)
ABSTENTION = tiny.abstention(ood_threshold=2.0)


def _scores(probabilities: Any, ood_score: Any = 0.0) -> Scores:
    p = np.asarray(probabilities, dtype=np.float32)
    return Scores(p, p.max(axis=1), np.broadcast_to(np.float32(ood_score), len(p)))


SCORES = _scores(PROBABILITIES)


def _policy(**fields: Any) -> Policy:
    return resolve(PolicyRequest(**fields), ABSTENTION)


def _labels(decisions: list[Decision]) -> list[int | None]:
    return [decision.label for decision in decisions]


def _reasons(decisions: list[Decision]) -> list[str | None]:
    return [decision.reason for decision in decisions]


def test_never_abstain_answers_with_the_most_probable_label() -> None:
    decisions = decide(SCORES, NeverAbstainPolicy(), ABSTENTION)
    assert (_labels(decisions), _reasons(decisions)) == ([0, 1, 2], [None] * 3)


@pytest.mark.parametrize(
    ("threshold", "labels"),
    [(0.0, [0, 1, 2]), (0.5, [0, None, 2]), (0.65, [0, None, None]), (1.0, [None, None, None])],
)
def test_threshold_abstains_below_it(threshold: float, labels: list[int | None]) -> None:
    decisions = decide(SCORES, ThresholdPolicy(threshold=threshold), None)
    assert _labels(decisions) == labels
    for decision in decisions:
        assert decision.reason == ("low_confidence" if decision.label is None else None)


def test_threshold_equal_to_the_confidence_answers() -> None:
    confidence = float(np.float32(0.7))  # as a client reads it from the JSON
    at, over = (decide(SCORES, ThresholdPolicy(threshold=t), None) for t in (confidence, np.nextafter(confidence, 1)))
    assert (at[0].label, over[0].label) == (0, None)


def test_certain_answer_passes_threshold_one() -> None:
    assert decide(_scores([[1.0, 0.0]]), ThresholdPolicy(threshold=1), None)[0].label == 0


def test_certified_risk_decides_by_its_threshold() -> None:
    scores = _scores([[0.85, 0.15, 0], [0.75, 0.25, 0]])
    decisions = decide(scores, _policy(selective_risk=0.1), ABSTENTION)
    assert (_labels(decisions), _reasons(decisions)) == ([0, None], [None, "low_confidence"])


@pytest.mark.parametrize("options", [{"selective_risk": 0.01}, {"reject_cost": 0.01}])
def test_infeasible_policy_always_abstains(options: dict[str, float]) -> None:
    decisions = decide(_scores([[1.0, 0.0, 0.0]] * 2, [0.0, 9.0]), _policy(**options), ABSTENTION)
    assert (_labels(decisions), _reasons(decisions)) == ([None] * 2, ["no_certified_threshold"] * 2)


@pytest.mark.parametrize("options", [{"selective_risk": 0.1}, {"reject_cost": 0.2}, {"threshold": 0.5}])
def test_out_of_distribution_abstains_at_any_confidence(options: dict[str, float]) -> None:
    scores = _scores([[1.0, 0.0, 0.0]] * 3, [2.0, np.nextafter(np.float32(2), np.float32(3)), 9.0])
    assert _reasons(decide(scores, _policy(**options), ABSTENTION)) == [None, *["out_of_distribution"] * 2]


def test_never_abstain_answers_out_of_distribution() -> None:
    assert _labels(decide(_scores([[1.0, 0.0, 0.0]], 9.0), _policy(never_abstain=True), ABSTENTION)) == [0]


def test_reject_cost_is_chows_rule() -> None:
    """With a cost of 1 for any error: answer where the confidence is at least 1 - cost."""
    scores = _scores([[0.75, 0.25, 0], [0.875, 0.125, 0], [0.5, 0.5, 0]])
    policy = RejectCostPolicy(reject_cost=0.25, confidence_level=0.95, answer_cost_bound=0.2)
    decisions = decide(scores, policy, ABSTENTION)
    assert (_labels(decisions), _reasons(decisions)) == ([0, 0, None], [None, None, "expected_cost"])


def test_cost_matrix_gives_the_answer_of_least_expected_cost() -> None:
    """Class 0 is likelier, but answering 0 where 1 is true costs ten times as much as the reverse."""
    matrix = [[0.0, 10.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    scores = _scores([[0.75, 0.25, 0], [1.0, 0.0, 0.0]])
    answers, costs = cheapest(scores, matrix)
    assert (answers.tolist(), costs.tolist()) == ([1, 0], [0.75, 0.0])
    with_costs = ABSTENTION.model_copy(update={"cost_matrix": matrix})
    policy = RejectCostPolicy(reject_cost=0.75, confidence_level=0.95, answer_cost_bound=0.2)
    assert _labels(decide(scores, policy, with_costs)) == [1, 0]
    stricter = RejectCostPolicy(reject_cost=0.7, confidence_level=0.95, answer_cost_bound=0.2)
    assert _reasons(decide(scores, stricter, with_costs)) == ["expected_cost", None]


@pytest.mark.parametrize(("k", "expected"), [(1, [[0], [1], [2]]), (3, [[0, 1, 2], [1, 2, 0], [2, 0, 1]])])
def test_top_k_is_sorted_and_ties_go_to_the_lower_index(k: int, expected: list[list[int]]) -> None:
    assert top_k(PROBABILITIES, k).tolist() == expected


def test_top_label_is_the_one_answered_even_where_all_tie() -> None:
    flat = np.full((1, 10), 0.1, dtype=np.float32)
    assert top_k(flat, 10).tolist() == [list(range(10))]
    assert decide(_scores(flat), NeverAbstainPolicy(), None)[0].label == 0


def test_resolve_gives_the_requested_policy() -> None:
    assert _policy(threshold=0.25) == ThresholdPolicy(threshold=0.25)
    assert _policy(never_abstain=True) == NeverAbstainPolicy()
    risk, cost = _policy(selective_risk=0.1), _policy(reject_cost=0.2)
    assert risk.model_dump() == {
        "kind": "selective_risk",
        "selective_risk": 0.1,
        "confidence_level": 0.95,
        "threshold": 0.8,
    }
    assert cost.model_dump() == {
        "kind": "reject_cost",
        "reject_cost": 0.2,
        "confidence_level": 0.95,
        "answer_cost_bound": 0.09,
    }


@pytest.mark.parametrize(
    ("requested", "message"),
    [
        (PolicyRequest(selective_risk=0.05), r"^policy\.selective_risk=0\.05 .*; certified: 0\.1; infeasible: 0\.01$"),
        (PolicyRequest(reject_cost=0.5), r"^policy\.reject_cost=0\.5 .*; certified: 0\.2; infeasible: 0\.01$"),
    ],
)
def test_resolve_lists_what_is_certified_and_never_guesses(requested: PolicyRequest, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        resolve(requested, ABSTENTION)
    with pytest.raises(InvalidValue, match=r"is not certified by this model; certified: none$"):
        resolve(requested, None)


@pytest.mark.parametrize(
    "fields",
    [{}, {"threshold": None}, {"threshold": 0.5, "never_abstain": True}, {"threshold": 0.5, "selective_risk": 0.1}],
)
def test_policy_request_is_exactly_one(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="a policy is exactly one of"):
        PolicyRequest.model_validate(fields)
