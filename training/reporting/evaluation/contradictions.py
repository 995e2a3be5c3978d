"""Promises that the report split contradicts: a test of each at the 5 % level.

The report split had no part in any certificate. Three things can lead to a contradiction: the report split is from
another population than the calibration split, the calibration split is one of the few (at most 1 - confidence of all)
for which the certificate is wrong, or the report split is one of the 5 % that contradict a promise that is kept.
"""

from collections.abc import Sequence

import numpy as np

from service.contract.certificates import Abstention
from service.contract.manifest import OperatingPoint
from service.contract.policy import Policy
from service.inference.decision import ANSWERED, outcomes
from training.certification.samples import largest_group_size, samples
from training.certification.scored import Scored
from training.certification.tails import clopper_pearson_lower

LEVEL = 0.95  # of the lower bound: a promise that is kept is contradicted by at most one report split of twenty


def contradictions(
    points: Sequence[OperatingPoint], abstention: Abstention | None, report: Scored | None = None
) -> list[str]:
    """A warning for each certified promise that the report split's operating points contradict.

    A promise is contradicted if its rate is below Clopper and Pearson's lower bound of the error rate among the
    answers, or below the bound by betting on the groups where `report`, the scored split, comes in groups. Costs from a
    matrix are not error rates and are left out. Each warning begins with the policy as a query string names it, such as
    `selective_risk=0.05`.
    """
    grouped = report if report is not None and report.groups is not None else None
    by_policy = {point.policy.model_dump_json(): point for point in points}
    sentences = [
        _sentence(by_policy[policy.model_dump_json()], promised, abstention, grouped)
        for policy, promised in _promises(abstention)
        if policy.model_dump_json() in by_policy
    ]
    return [sentence for sentence in sentences if sentence is not None]


def _lower_of_groups(policy: Policy, abstention: Abstention | None, report: Scored) -> float:
    sizes = [c.largest_group for c in abstention.selective_risk] if abstention else []
    sample = samples(report.groups, len(report), next(filter(None, sizes), largest_group_size(report.groups)))[0]
    decided = outcomes(report.scores, policy, abstention)
    answered = (decided.reasons == ANSWERED)[sample.rows]
    wrong = (decided.labels != report.labels)[sample.rows].astype(np.float64)
    return sample.lower(wrong, answered, LEVEL)


def _promises(abstention: Abstention | None) -> list[tuple[Policy, float]]:
    """The certified promises about the error rate among the answers: policy and rate."""
    if abstention is None:
        return []
    promises: list[tuple[Policy, float]] = [
        (c.policy(), c.selective_risk) for c in abstention.selective_risk if c.status == "certified"
    ]
    if abstention.cost_matrix is None:
        promises += [(c.policy(), c.reject_cost) for c in abstention.reject_cost if c.status == "certified"]
    return promises


def _sentence(
    point: OperatingPoint, promised: float, abstention: Abstention | None, grouped: Scored | None
) -> str | None:
    if not point.answered:
        return None
    if grouped is None:
        bound, by = clopper_pearson_lower(point.errors, point.answered, LEVEL), "Clopper-Pearson"
    else:
        bound, by = _lower_of_groups(point.policy, abstention, grouped), "betting on the groups"
    if bound <= promised:
        return None
    return (
        f"{point.policy} promises at most {100 * promised:.3g} % errors among the answers, but {point.errors} of "
        f"{point.answered} answers on the report split are wrong: {100 * point.errors / point.answered:.1f} %, with a "
        f"{100 * LEVEL:.3g} % lower bound ({by}) of {100 * bound:.1f} %. If a promise is kept, this "
        "bound exceeds it in at most 1 of 20 report splits (a test at the 5 % level). Calibrate on labelled data from "
        "where the model is used, or gather more labels."
    )
