"""Answer or abstain: what a policy makes of the scores. Pure numpy, no HTTP, no onnxruntime."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.classifier import Scores
from service.errors import InvalidValue
from service.policy import NeverAbstainPolicy, Policy, PolicyRequest, ThresholdPolicy

Reason = Literal["low_confidence", "out_of_distribution", "expected_cost", "no_certified_threshold"]


@dataclass(frozen=True, slots=True)
class Decision:
    """One input's outcome: the index of the label, or the reason for abstaining. Exactly one is None."""

    label: int | None
    reason: Reason | None


def resolve(request: PolicyRequest) -> Policy:
    """Turn what a request asks for into the policy that decides.

    Raises InvalidValue for a policy that needs a certificate: a guess is never taken for a guarantee.

    >>> resolve(PolicyRequest(threshold=0.9))
    ThresholdPolicy(kind='threshold', threshold=0.9)
    """
    for field in ("selective_risk", "reject_cost"):
        if (value := getattr(request, field)) is not None:
            raise InvalidValue(f"policy.{field}", f"={value} is not certified by this model; certified: none")
    if request.threshold is not None:
        return ThresholdPolicy(threshold=request.threshold)
    return NeverAbstainPolicy()


def decide(scores: Scores, policy: Policy) -> list[Decision]:
    """Decide each of the N inputs in `scores`.

    A confidence equal to the threshold answers.

    >>> p = np.array([[0.75, 0.25], [0.5, 0.5]], dtype=np.float32)
    >>> decide(Scores(p, p.max(axis=1)), ThresholdPolicy(threshold=0.75))
    [Decision(label=0, reason=None), Decision(label=None, reason='low_confidence')]
    """
    labels = scores.probabilities.argmax(axis=1)  # [N]
    match policy:
        case NeverAbstainPolicy():
            return [Decision(label, None) for label in labels.tolist()]
        case ThresholdPolicy():
            # The float32 score against the threshold in double precision: what a client computes from the
            # JSON, where each float32 stands exactly.
            answered = scores.confidence.astype(np.float64) >= policy.threshold
            return [
                Decision(label, None) if sure else Decision(None, "low_confidence")
                for label, sure in zip(labels.tolist(), answered.tolist(), strict=True)
            ]


def top_k(probabilities: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Indices of the k most probable classes, most probable first, `[N, C]` -> `[N, k]`.

    Of equal probabilities the lower index comes first, as with argmax: the top label is the one answered.

    >>> top_k(np.array([[0.25, 0.5, 0.25]], dtype=np.float32), 2)
    array([[1, 0]])
    """
    return np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
