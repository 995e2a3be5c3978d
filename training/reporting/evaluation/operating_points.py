"""Coverage and risk of each policy, and of each threshold, on a split. The code that serves makes the decisions."""

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import Abstention
from service.contract.manifest import OperatingPoint, RiskCoverageCurve
from service.contract.policy import NeverAbstainPolicy, Policy, RejectCostPolicy, ThresholdPolicy
from service.inference.decision import ANSWERED, Outcomes, outcomes
from training.certification.reject_cost import realised_cost
from training.certification.scored import Scored
from training.reporting.evaluation.risk_coverage import RiskCoverage

_POINTS = 51  # of the curve in the manifest: a step of two hundredths in coverage


def policies(abstention: Abstention | None) -> list[Policy]:
    """The policies that a model offers, certified or infeasible, and the one that never abstains."""
    if abstention is None:
        return [NeverAbstainPolicy()]
    return [
        *(certificate.policy() for certificate in abstention.selective_risk),
        *(certificate.policy() for certificate in abstention.reject_cost),
        NeverAbstainPolicy(),
    ]


def measure(scored: Scored, policy: Policy, abstention: Abstention | None) -> OperatingPoint:
    """Coverage, errors and cost of one policy on a split."""
    labels = answers(outcomes(scored.scores, policy, abstention))
    answered = labels >= 0
    count, errors = int(answered.sum()), int((labels != scored.labels)[answered].sum())
    mean_cost = None
    if isinstance(policy, RejectCostPolicy):
        matrix = abstention.cost_matrix if abstention else None
        costs = realised_cost(labels[answered], scored.labels[answered], matrix)
        mean_cost = (float(costs.sum()) + policy.reject_cost * (len(scored) - count)) / len(scored)
    return OperatingPoint(
        policy=policy,
        answered=count,
        errors=errors,
        coverage=count / len(scored),
        selective_risk=errors / count if count else None,
        mean_cost=mean_cost,
    )


def answers(decided: Outcomes) -> NDArray[np.int64]:
    """The label of each answer, -1 where the policy abstains, `[N]`."""
    labels: NDArray[np.int64] = np.where(decided.reasons == ANSWERED, decided.labels, -1)
    return labels


def curve(scored: Scored, abstention: Abstention | None) -> RiskCoverageCurve:
    """The risk-coverage curve over all thresholds, thinned. Empty where the gate flags every input."""
    inside = outcomes(scored.scores, ThresholdPolicy(threshold=0), abstention).reasons == ANSWERED
    if not inside.any():
        return RiskCoverageCurve(thresholds=[], answered=[], errors=[])
    points = RiskCoverage.of(scored.scores.confidence[inside], scored.wrong[inside]).thinned(_POINTS)
    return RiskCoverageCurve(
        thresholds=points.thresholds.tolist(), answered=points.answered.tolist(), errors=points.errors.tolist()
    )
