"""Policies, and what they make of the scores."""

import numpy as np
import pytest
from pydantic import ValidationError

from service.classifier import Scores
from service.decision import decide, resolve, top_k
from service.errors import InvalidValue
from service.policy import NeverAbstainPolicy, PolicyRequest, ThresholdPolicy

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.45, 0.45], [0.2, 0.2, 0.6]], dtype=np.float32)
SCORES = Scores(PROBABILITIES, PROBABILITIES.max(axis=1))


def test_never_abstain_answers_with_the_most_probable_label() -> None:
    assert [(d.label, d.reason) for d in decide(SCORES, NeverAbstainPolicy())] == [(0, None), (1, None), (2, None)]


@pytest.mark.parametrize(
    ("threshold", "labels"),
    [(0.0, [0, 1, 2]), (0.5, [0, None, 2]), (0.65, [0, None, None]), (1.0, [None, None, None])],
)
def test_threshold_abstains_below_it(threshold: float, labels: list[int | None]) -> None:
    decisions = decide(SCORES, ThresholdPolicy(threshold=threshold))
    assert [decision.label for decision in decisions] == labels
    for decision in decisions:
        assert decision.reason == ("low_confidence" if decision.label is None else None)


def test_threshold_equal_to_the_confidence_answers() -> None:
    confidence = float(np.float32(0.7))  # as a client reads it from the JSON
    at, over = (decide(SCORES, ThresholdPolicy(threshold=t)) for t in (confidence, np.nextafter(confidence, 1)))
    assert (at[0].label, over[0].label) == (0, None)


def test_certain_answer_passes_threshold_one() -> None:
    certain = np.array([[1.0, 0.0]], dtype=np.float32)
    assert decide(Scores(certain, certain.max(axis=1)), ThresholdPolicy(threshold=1))[0].label == 0


@pytest.mark.parametrize(("k", "expected"), [(1, [[0], [1], [2]]), (3, [[0, 1, 2], [1, 2, 0], [2, 0, 1]])])
def test_top_k_is_sorted_and_ties_go_to_the_lower_index(k: int, expected: list[list[int]]) -> None:
    assert top_k(PROBABILITIES, k).tolist() == expected


def test_top_label_is_the_one_answered_even_where_all_tie() -> None:
    flat = np.full((1, 10), 0.1, dtype=np.float32)
    assert top_k(flat, 10).tolist() == [list(range(10))]
    assert decide(Scores(flat, flat.max(axis=1)), NeverAbstainPolicy())[0].label == 0


def test_resolve_gives_the_policy_that_was_asked_for() -> None:
    assert resolve(PolicyRequest(threshold=0.25)) == ThresholdPolicy(threshold=0.25)
    assert resolve(PolicyRequest(never_abstain=True)) == NeverAbstainPolicy()


@pytest.mark.parametrize("asked", [PolicyRequest(selective_risk=0.05), PolicyRequest(reject_cost=0.0)])
def test_resolve_never_guesses_where_a_certificate_is_asked_for(asked: PolicyRequest) -> None:
    with pytest.raises(InvalidValue, match=r"^policy\.(selective_risk=0\.05|reject_cost=0\.0) is not certified"):
        resolve(asked)


@pytest.mark.parametrize(
    "fields",
    [{}, {"threshold": None}, {"threshold": 0.5, "never_abstain": True}, {"threshold": 0.5, "selective_risk": 0.1}],
)
def test_policy_request_is_exactly_one(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="a policy is exactly one of"):
        PolicyRequest.model_validate(fields)
