"""Answer or abstain: what a policy makes of the scores. Pure numpy, no HTTP, no onnxruntime."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from service.certificates import Abstention, CostCertificate, RiskCertificate
from service.classifier import Scores
from service.errors import InvalidValue
from service.policy import (
    NeverAbstainPolicy,
    Policy,
    PolicyRequest,
    RejectCostPolicy,
    SelectiveRiskPolicy,
    ThresholdPolicy,
)

Reason = Literal["low_confidence", "out_of_distribution", "expected_cost", "no_certified_threshold"]
REASONS: tuple[Reason, ...] = get_args(Reason)
ANSWERED = -1  # in the place of a reason
_SORTED = 1000  # classes; to sort more takes longer than to look for the k-th first

_Certificate = TypeVar("_Certificate", RiskCertificate, CostCertificate)


@dataclass(frozen=True, slots=True)
class Decision:
    """One input's outcome: the index of the label, or the reason for abstaining. Exactly one is None."""

    label: int | None
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The outcomes of N inputs, in arrays."""

    labels: NDArray[np.intp]  # [N], indices of the labels; without a meaning in an abstention
    reasons: NDArray[np.int8]  # [N], places in REASONS; ANSWERED in an answer


def resolve(request: PolicyRequest, abstention: Abstention | None, *, within: str = "policy.") -> Policy:
    """Turn what a request asks for into the policy that decides; `within` stands before its fields in messages.

    Raises InvalidValue for a risk or a cost that is not certified: a guess is never taken for a guarantee.

    >>> resolve(PolicyRequest(threshold=0.9), None)
    ThresholdPolicy(kind='threshold', threshold=0.9)
    """
    if request.selective_risk is not None:
        risks = abstention.selective_risk if abstention else []
        by_risk = {certificate.selective_risk: certificate for certificate in risks}
        return _certified(f"{within}selective_risk", request.selective_risk, by_risk).policy()
    if request.reject_cost is not None:
        costs = abstention.reject_cost if abstention else []
        by_cost = {certificate.reject_cost: certificate for certificate in costs}
        return _certified(f"{within}reject_cost", request.reject_cost, by_cost).policy()
    if request.threshold is not None:
        return ThresholdPolicy(threshold=request.threshold)
    return NeverAbstainPolicy()


def _certified(field: str, asked: float, certificates: dict[float, _Certificate]) -> _Certificate:
    if asked in certificates:
        return certificates[asked]
    passed = ", ".join(str(value) for value, found in certificates.items() if found.status == "certified") or "none"
    failed = ", ".join(str(value) for value, found in certificates.items() if found.status == "infeasible")
    rule = f"={asked} is not certified by this model; certified: {passed}"
    raise InvalidValue(field, f"{rule}; infeasible: {failed}" if failed else rule)


def decide(scores: Scores, policy: Policy, abstention: Abstention | None) -> list[Decision]:
    """Decide each of the N inputs in `scores`.

    A confidence equal to the threshold answers, and so does an expected cost equal to the reject cost. What is out
    of distribution is answered only by `never_abstain`. All comparisons are of the graph's float32 scores in double
    precision: what a client computes from the JSON, where each float32 stands exactly.

    >>> p = np.array([[0.75, 0.25], [0.5, 0.5]], dtype=np.float32)
    >>> decide(Scores(p, p.max(axis=1), np.zeros(2, np.float32)), ThresholdPolicy(threshold=0.75), None)
    [Decision(label=0, reason=None), Decision(label=None, reason='low_confidence')]
    """
    found = outcomes(scores, policy, abstention)
    return [
        Decision(label, None) if reason == ANSWERED else Decision(None, REASONS[reason])
        for label, reason in zip(found.labels.tolist(), found.reasons.tolist(), strict=True)
    ]


def outcomes(scores: Scores, policy: Policy, abstention: Abstention | None) -> Outcomes:
    """What `decide` says of each of the N inputs, without an object for each.

    >>> p = np.array([[0.75, 0.25], [0.5, 0.5]], dtype=np.float32)
    >>> outcomes(Scores(p, p.max(axis=1), np.zeros(2, np.float32)), ThresholdPolicy(threshold=0.75), None)
    Outcomes(labels=array([0, 0]), reasons=array([-1,  0], dtype=int8))
    """
    count = len(scores.confidence)
    if is_infeasible(policy):
        uncertified = REASONS.index("no_certified_threshold")
        return Outcomes(np.zeros(count, np.intp), np.full(count, uncertified, np.int8))
    labels, doubtful, reason = _answers(scores, policy, abstention)
    reasons = np.where(doubtful, np.int8(REASONS.index(reason)), np.int8(ANSWERED))
    reasons[_outside(scores, policy, abstention)] = REASONS.index("out_of_distribution")
    return Outcomes(labels, reasons)


def is_infeasible(policy: Policy) -> bool:
    """Whether the promise that the policy asks for could not be certified: then nothing is answered."""
    match policy:
        case SelectiveRiskPolicy(threshold=None) | RejectCostPolicy(answer_cost_bound=None):
            return True
        case _:
            return False


def _answers(
    scores: Scores, policy: Policy, abstention: Abstention | None
) -> tuple[NDArray[np.intp], NDArray[np.bool_], Reason]:
    """The answer to each input, where it is too doubtful to be given, and what an abstention then says."""
    likeliest = scores.probabilities.argmax(axis=1)  # [N]
    confidence = scores.confidence.astype(np.float64)  # [N]
    match policy:
        case NeverAbstainPolicy():
            return likeliest, np.zeros(len(likeliest), dtype=bool), "low_confidence"
        case ThresholdPolicy(threshold=threshold):
            return likeliest, confidence < threshold, "low_confidence"
        case SelectiveRiskPolicy(threshold=threshold):
            assert threshold is not None  # such a policy is certified
            return likeliest, confidence < threshold, "low_confidence"
        case RejectCostPolicy(reject_cost=reject_cost):
            labels, cost = cheapest(scores, abstention.cost_matrix if abstention else None)
            return labels, cost > reject_cost, "expected_cost"


def _outside(scores: Scores, policy: Policy, abstention: Abstention | None) -> NDArray[np.bool_]:
    """Where an input is too unlike the training inputs to be answered, `[N]`."""
    if abstention is None or isinstance(policy, NeverAbstainPolicy):
        return np.zeros(len(scores.ood_score), dtype=bool)
    return scores.ood_score.astype(np.float64) > abstention.out_of_distribution.threshold


def cheapest(
    scores: Scores, cost_matrix: Sequence[Sequence[float]] | None
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The answer of least expected cost to each input, and that cost: two arrays `[N]`.

    The expected cost of answer a is sum_y p(y) cost[a, y] (Chow 1970, IEEE Trans. Inform. Theory 16(1)). With a
    cost of 1 for every error that is 1 - p(a), and the answer is the likeliest label.

    >>> p = np.array([[0.75, 0.25]], dtype=np.float32)
    >>> cheapest(Scores(p, p.max(axis=1), np.zeros(1, np.float32)), [[0, 4], [1, 0]])
    (array([1]), array([0.75]))
    """
    if cost_matrix is None:
        return scores.probabilities.argmax(axis=1), 1 - scores.confidence.astype(np.float64)
    expected = scores.probabilities.astype(np.float64) @ np.array(cost_matrix, dtype=np.float64).T  # [N, C]
    answers = expected.argmin(axis=1)
    return answers, expected[np.arange(len(answers)), answers]


def top_k(probabilities: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Indices of the k most probable classes, most probable first, `[N, C]` -> `[N, k]`.

    Of equal probabilities the lower index comes first, as with argmax: the top label is the one answered.

    >>> top_k(np.array([[0.25, 0.5, 0.25]], dtype=np.float32), 2)
    array([[1, 0]])
    """
    classes = probabilities.shape[1]
    if classes <= _SORTED or k == classes:
        return np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    # Of many classes only those are sorted that are as probable as the k-th.
    kth = np.partition(probabilities, classes - k, axis=1)[:, classes - k]
    found = np.empty((len(probabilities), k), np.intp)
    for i, row in enumerate(probabilities):
        among = np.flatnonzero(row >= kth[i])
        found[i] = among[np.argsort(-row[among], kind="stable")[:k]]
    return found
