"""Decides from the scores, by a policy, whether the model answers or abstains. Pure numpy."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import Abstention, CostCertificate, RiskCertificate
from service.contract.errors import InvalidValue
from service.contract.policy import (
    NeverAbstainPolicy,
    Policy,
    PolicyRequest,
    RejectCostPolicy,
    SelectiveRiskPolicy,
    ThresholdPolicy,
)
from service.inference.classifier import Scores

Reason = Literal["low_confidence", "out_of_distribution", "expected_cost", "no_certified_threshold"]
REASONS: tuple[Reason, ...] = get_args(Reason)
ANSWERED = -1  # in place of a reason
ANSWER = "answer"  # in a tally, beside the reasons
_MAX_FULLY_SORTED = 1000  # classes; with more, a partial sort is faster

_Certificate = TypeVar("_Certificate", RiskCertificate, CostCertificate)


class Decision(NamedTuple):
    """The decision for one input: the index of the label, or the reason for abstaining. Exactly one is None."""

    label: int | None
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The decisions for N inputs, as arrays."""

    labels: NDArray[np.intp]  # [N], indices of the labels; meaningless where the model abstains
    reasons: NDArray[np.int8]  # [N], indices in REASONS, or ANSWERED

    def tally(self) -> Mapping[str, int]:
        """The vector form of `tally`."""
        counts = np.bincount(self.reasons - ANSWERED, minlength=len(REASONS) + 1).tolist()
        return {name: count for name, count in zip((ANSWER, *REASONS), counts, strict=True) if count}


def tally(reasons: Iterable[Reason | None]) -> Mapping[str, int]:
    """How many inputs were answered, and how many abstained for each reason; None stands for an answer.

    >>> dict(tally([None, "low_confidence", None]))
    {'answer': 2, 'low_confidence': 1}
    """
    return Counter(ANSWER if reason is None else reason for reason in reasons)


def resolve(request: PolicyRequest, abstention: Abstention | None, *, within: str = "policy.") -> Policy:
    """The policy for a request's PolicyRequest; `within` precedes the field names in messages.

    Raises InvalidValue for a risk or a cost that the model is not certified for.

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


def _certified(field: str, requested: float, certificates: dict[float, _Certificate]) -> _Certificate:
    if requested in certificates:
        return certificates[requested]
    certified = ", ".join(str(value) for value, one in certificates.items() if one.status == "certified") or "none"
    infeasible = ", ".join(str(value) for value, one in certificates.items() if one.status == "infeasible")
    rule = f"={requested} is not certified by this model; certified: {certified}"
    raise InvalidValue(field, f"{rule}; infeasible: {infeasible}" if infeasible else rule)


def decide(scores: Scores, policy: Policy, abstention: Abstention | None) -> list[Decision]:
    """Decide on each of the N inputs in `scores`.

    The model answers if the confidence equals the threshold, or the expected cost equals the reject cost. An input out
    of distribution is answered only under `never_abstain`. All comparisons are of the graph's float32 scores in double
    precision, so a client gets the same result from the JSON, which has each float32 exactly.

    >>> p = np.array([[0.75, 0.25], [0.5, 0.5]], dtype=np.float32)
    >>> decide(Scores(p, p.max(axis=1), np.zeros(2, np.float32)), ThresholdPolicy(threshold=0.75), None)
    [Decision(label=0, reason=None), Decision(label=None, reason='low_confidence')]
    """
    decided = outcomes(scores, policy, abstention)
    return [
        Decision(label, None) if reason == ANSWERED else Decision(None, REASONS[reason])
        for label, reason in zip(decided.labels.tolist(), decided.reasons.tolist(), strict=True)
    ]


def outcomes(scores: Scores, policy: Policy, abstention: Abstention | None) -> Outcomes:
    """The vector form of `decide`, without an object for each input.

    >>> p = np.array([[0.75, 0.25], [0.5, 0.5]], dtype=np.float32)
    >>> outcomes(Scores(p, p.max(axis=1), np.zeros(2, np.float32)), ThresholdPolicy(threshold=0.75), None)
    Outcomes(labels=array([0, 0]), reasons=array([-1,  0], dtype=int8))
    """
    count = len(scores.confidence)
    if is_infeasible(policy):
        uncertified = REASONS.index("no_certified_threshold")
        return Outcomes(np.zeros(count, np.intp), np.full(count, uncertified, np.int8))
    if isinstance(policy, RejectCostPolicy):
        labels, cost = cheapest(scores, abstention.cost_matrix if abstention else None)
        doubtful, reason = cost > policy.reject_cost, REASONS.index("expected_cost")
        max_ood_score = abstention.out_of_distribution.threshold if abstention else np.inf
    else:
        confidence_limits = limits(policy, abstention)
        assert confidence_limits is not None  # such a policy is feasible, and not one of costs
        labels = scores.probabilities.argmax(axis=1)  # [N]
        doubtful = scores.confidence.astype(np.float64) < confidence_limits.min_confidence
        reason, max_ood_score = REASONS.index("low_confidence"), confidence_limits.max_ood_score
    reasons = np.where(doubtful, np.int8(reason), np.int8(ANSWERED))
    reasons[scores.ood_score.astype(np.float64) > max_ood_score] = REASONS.index("out_of_distribution")
    return Outcomes(labels, reasons)


class Limits(NamedTuple):
    """The limits within which a policy of confidence answers: the scalar form of the rule."""

    min_confidence: float
    max_ood_score: float

    def decision(self, label: int, confidence: float, ood_score: float) -> Decision:
        """The decision that `decide` makes for one input whose likeliest label is `label`, in a tenth of the time.

        >>> Limits(0.75, 1.5).decision(3, 0.75, 1.5), Limits(0.75, 1.5).decision(3, 0.75, 1.6)
        (Decision(label=3, reason=None), Decision(label=None, reason='out_of_distribution'))
        """
        if ood_score > self.max_ood_score:
            return Decision(None, "out_of_distribution")
        if confidence < self.min_confidence:
            return Decision(None, "low_confidence")
        return Decision(label, None)


def limits(policy: Policy, abstention: Abstention | None) -> Limits | None:
    """The limits of a policy of confidence; None for a policy of costs, or one that never answers.

    >>> limits(ThresholdPolicy(threshold=0.75), None)
    Limits(min_confidence=0.75, max_ood_score=inf)
    """
    max_ood_score = abstention.out_of_distribution.threshold if abstention else np.inf
    match policy:
        case NeverAbstainPolicy():
            return Limits(-np.inf, np.inf)
        case ThresholdPolicy(threshold=threshold):
            return Limits(threshold, max_ood_score)
        case SelectiveRiskPolicy(threshold=float(threshold)):
            return Limits(threshold, max_ood_score)
        case _:
            return None


def is_infeasible(policy: Policy) -> bool:
    """Whether the policy's promise could not be certified; the model then always abstains."""
    match policy:
        case SelectiveRiskPolicy(threshold=None) | RejectCostPolicy(answer_cost_bound=None):
            return True
        case _:
            return False


def possible_reasons(policy: Policy) -> tuple[Reason, ...]:
    """The reasons for which the model may abstain under a policy.

    >>> possible_reasons(ThresholdPolicy(threshold=0.75)), possible_reasons(NeverAbstainPolicy())
    (('low_confidence', 'out_of_distribution'), ())
    """
    if is_infeasible(policy):
        return ("no_certified_threshold",)
    if isinstance(policy, NeverAbstainPolicy):
        return ()
    return "expected_cost" if isinstance(policy, RejectCostPolicy) else "low_confidence", "out_of_distribution"


def cheapest(
    scores: Scores, cost_matrix: Sequence[Sequence[float]] | None
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The label of least expected cost for each input, and that cost: two arrays `[N]`.

    The expected cost of label a is sum_y p(y) cost[a, y] (Chow 1970, IEEE Trans. Inform. Theory 16(1)). With a
    cost of 1 for every error it is 1 - p(a), and the label is the likeliest one.

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

    Among equal probabilities the lower index comes first, as in argmax, so the top label is the one answered.

    >>> top_k(np.array([[0.25, 0.5, 0.25]], dtype=np.float32), 2)
    array([[1, 0]])
    """
    classes = probabilities.shape[1]
    if classes <= _MAX_FULLY_SORTED or k == classes:
        return np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    # Sort only the classes that are at least as probable as the k-th.
    kth = np.partition(probabilities, classes - k, axis=1)[:, classes - k]
    top = np.empty((len(probabilities), k), np.intp)
    for i, row in enumerate(probabilities):
        candidates = np.flatnonzero(row >= kth[i])
        top[i] = candidates[np.argsort(-row[candidates], kind="stable")[:k]]
    return top
