"""The id of a prediction carries what feedback needs."""

import base64
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.contract.policy import NeverAbstainPolicy, Policy, RejectCostPolicy, SelectiveRiskPolicy, ThresholdPolicy
from service.inference.prediction_id import PredictionId, PredictionIds

POLICIES: list[tuple[Policy, str, float]] = [
    (ThresholdPolicy(threshold=0.1), "threshold", 0.1),
    (SelectiveRiskPolicy(selective_risk=0.05, confidence_level=0.95, threshold=None), "selective_risk", 0.05),
    (RejectCostPolicy(reject_cost=3.5, confidence_level=0.95, answer_cost_bound=1), "reject_cost", 3.5),
    (NeverAbstainPolicy(), "never_abstain", 1.0),
]


@pytest.mark.parametrize(("policy", "field", "value"), POLICIES, ids=lambda value: str(value)[:20])
def test_id_decodes_to_the_decision(policy: Policy, field: str, value: float) -> None:
    give = PredictionIds("0123456789ab").under(policy)
    result = [PredictionId.decode(give(label)[0]) for label in (0, None, 65_000)]
    assert [(entry.version, entry.policy_field, entry.policy_value) for entry in result] == [
        ("0123456789ab", field, value)
    ] * 3
    assert [entry.label for entry in result] == [0, None, 65_000]
    assert len({entry.nonce for entry in result}) == 3


def test_ids_under_several_policies_are_all_different() -> None:
    ids = PredictionIds("0123456789ab")
    issuers = [ids.under(policy) for policy, _, _ in POLICIES for _ in range(2)]
    assert len({PredictionId.decode(give(1)[0]).nonce for give in issuers for _ in range(10)}) == 80


@pytest.mark.parametrize(
    "text",
    ["", "AAAA", "A" * 36, "A" * 41, "!" * 40, "é" * 40, base64.urlsafe_b64encode(struct.pack(">13xBdII", 9, 0, 0, 0))],
)
def test_invalid_id(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="not the id of a prediction"):
        PredictionId.decode(text if isinstance(text, str) else text.decode())


def test_id_holds_the_time() -> None:
    moment = 1_700_000_000.9
    give = PredictionIds("0123456789ab", now=lambda: moment).under(NeverAbstainPolicy())
    first = give(1)[0]
    moment += 0.2
    later = give(1)[0]
    moment -= 3.0  # a clock that is set back
    assert [PredictionId.decode(text).seconds for text in (first, later, give(1)[0])] == [
        1_700_000_000,
        1_700_000_001,
        1_699_999_998,
    ]


def test_audit_share_and_the_bit_in_the_id() -> None:
    audited: list[str] = []
    give = PredictionIds("0123456789ab", 0.25, audited.append).under(NeverAbstainPolicy())
    given = [give(label) for label in [None, *range(3)] * 4000]
    assert audited == [text for text, audit in given if audit]
    assert [PredictionId.decode(text).audit for text, _ in given] == [audit for _, audit in given]
    assert all(PredictionId.decode(text).label is not None for text in audited)  # never an abstention
    assert 2700 < len(audited) < 3300  # 12,000 answers: 3,000, and 6 standard deviations are 285
    assert not any(audit for _, audit in map(PredictionIds("0123456789ab").under(NeverAbstainPolicy()), range(1000)))


def test_ids_are_unique_across_threads() -> None:
    give = PredictionIds("0123456789ab", 0.5).under(NeverAbstainPolicy())
    with ThreadPoolExecutor(4) as threads:
        result = list(threads.map(lambda _: [give(1)[0] for _ in range(5000)], range(4)))
    assert len({PredictionId.decode(text).nonce for part in result for text in part}) == 20_000
