"""What each policy of a model, and each threshold, comes to on a split: decided by the very code that serves."""

import numpy as np

from service.contract.certificates import Abstention
from service.contract.manifest import OperatingPoint, RiskCoverageCurve
from service.contract.policy import NeverAbstainPolicy, Policy, RejectCostPolicy, ThresholdPolicy
from service.inference.decision import ANSWERED, decide, outcomes
from training.certification.cost import realised_cost
from training.certification.scored import Scored
from training.reporting.evaluation.risk_coverage import RiskCoverage

_POINTS = 51  # of the curve in the manifest: a step of two hundredths in coverage


def policies(abstention: Abstention | None) -> list[Policy]:
    """The policies that a model offers, certified or found infeasible, and the one that never abstains."""
    if abstention is None:
        return [NeverAbstainPolicy()]
    return [
        *(certificate.policy() for certificate in abstention.selective_risk),
        *(certificate.policy() for certificate in abstention.reject_cost),
        NeverAbstainPolicy(),
    ]


def measure(scored: Scored, policy: Policy, abstention: Abstention | None) -> OperatingPoint:
    """Coverage, errors and cost of one policy on a split."""
    decisions = decide(scored.scores, policy, abstention)
    answers = np.array([-1 if d.label is None else d.label for d in decisions])
    answered = answers >= 0
    count, errors = int(answered.sum()), int((answers != scored.labels)[answered].sum())
    mean_cost = None
    if isinstance(policy, RejectCostPolicy):
        matrix = abstention.cost_matrix if abstention else None
        costs = realised_cost(answers[answered], scored.labels[answered], matrix)
        mean_cost = (float(costs.sum()) + policy.reject_cost * (len(scored) - count)) / len(scored)
    return OperatingPoint(
        policy=policy,
        answered=count,
        errors=errors,
        coverage=count / len(scored),
        selective_risk=errors / count if count else None,
        mean_cost=mean_cost,
    )


def curve(scored: Scored, abstention: Abstention | None) -> RiskCoverageCurve:
    """The risk-coverage curve of thresholds by hand, thinned. Empty where the gate turns everything away."""
    inside = outcomes(scored.scores, ThresholdPolicy(threshold=0), abstention).reasons == ANSWERED
    if not inside.any():
        return RiskCoverageCurve(thresholds=[], answered=[], errors=[])
    found = RiskCoverage.of(scored.scores.confidence[inside], scored.wrong[inside]).thinned(_POINTS)
    return RiskCoverageCurve(
        thresholds=found.thresholds.tolist(), answered=found.answered.tolist(), errors=found.errors.tolist()
    )
