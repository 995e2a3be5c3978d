"""The id of a prediction carries what feedback needs."""

import base64
import struct

import pytest

from service.answering.prediction_id import PredictionId, PredictionIds
from service.policy import NeverAbstainPolicy, Policy, RejectCostPolicy, SelectiveRiskPolicy, ThresholdPolicy

POLICIES: list[tuple[Policy, str, float]] = [
    (ThresholdPolicy(threshold=0.1), "threshold", 0.1),
    (SelectiveRiskPolicy(selective_risk=0.05, confidence_level=0.95, threshold=None), "selective_risk", 0.05),
    (RejectCostPolicy(reject_cost=3.5, confidence_level=0.95, answer_cost_bound=1), "reject_cost", 3.5),
    (NeverAbstainPolicy(), "never_abstain", 1.0),
]


@pytest.mark.parametrize(("policy", "field", "value"), POLICIES, ids=lambda value: str(value)[:20])
def test_id_gives_back_what_was_decided(policy: Policy, field: str, value: float) -> None:
    give = PredictionIds("0123456789ab").under(policy)
    found = [PredictionId.decode(give(label)) for label in (0, None, 65_000)]
    assert [(entry.version, entry.policy_field, entry.policy_value) for entry in found] == [
        ("0123456789ab", field, value)
    ] * 3
    assert [entry.label for entry in found] == [0, None, 65_000]
    assert len({entry.nonce for entry in found}) == 3


def test_ids_under_several_policies_are_all_different() -> None:
    ids = PredictionIds("0123456789ab")
    givers = [ids.under(policy) for policy, _, _ in POLICIES for _ in range(2)]
    assert len({PredictionId.decode(give(1)).nonce for give in givers for _ in range(10)}) == 80


@pytest.mark.parametrize(
    "text",
    ["", "AAAA", "A" * 36 + "A", "!" * 36, "é" * 36, base64.urlsafe_b64encode(struct.pack(">Q6sBdI", 0, b"", 9, 0, 0))],
)
def test_what_is_no_id(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="not the id of a prediction"):
        PredictionId.decode(text if isinstance(text, str) else text.decode())
