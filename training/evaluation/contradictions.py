"""Promises that the report split speaks against.

The report split had no part in any certificate. A promise is about all inputs of the calibration split's population;
where even a cautious reading of the report split's errors is over it, that population is not the report split's, or
the calibration split was one of the few, at most 1 - confidence of all, that a certificate lets through wrongly.
"""

from collections.abc import Sequence

from service.certificates import Abstention
from service.manifest import OperatingPoint
from service.policy import Policy
from training.abstention.tails import clopper_pearson_lower

LEVEL = 0.95  # of the lower bound: a promise that is kept is called broken in at most one report of twenty


def contradictions(points: Sequence[OperatingPoint], abstention: Abstention | None) -> list[str]:
    """A sentence for each certified promise that the report split's operating points contradict.

    Contradicted is a promise whose rate is under Clopper and Pearson's lower bound of the rate of errors among the
    answers. Costs from a matrix are not rates of errors and are left out.
    """
    by_policy = {point.policy.model_dump_json(): point for point in points}
    found = [
        _sentence(by_policy[policy.model_dump_json()], name, promised)
        for policy, name, promised in _promises(abstention)
        if policy.model_dump_json() in by_policy
    ]
    return [sentence for sentence in found if sentence is not None]


def _promises(abstention: Abstention | None) -> list[tuple[Policy, str, float]]:
    """The certified promises about the share of errors among the answers: policy, name and rate."""
    if abstention is None:
        return []
    promises: list[tuple[Policy, str, float]] = [
        (c.policy(), f"selective_risk {c.selective_risk:g}", c.selective_risk)
        for c in abstention.selective_risk
        if c.status == "certified"
    ]
    if abstention.cost_matrix is None:
        promises += [
            (c.policy(), f"reject_cost {c.reject_cost:g}", c.reject_cost)
            for c in abstention.reject_cost
            if c.status == "certified"
        ]
    return promises


def _sentence(point: OperatingPoint, name: str, promised: float) -> str | None:
    if not point.answered:
        return None
    bound = clopper_pearson_lower(point.errors, point.answered, LEVEL)
    if bound <= promised:
        return None
    return (
        f"{name} promises at most {100 * promised:.3g} % errors among the answers, and on the report split "
        f"{point.errors} of {point.answered} are wrong: {100 * point.errors / point.answered:.1f} %, and with "
        f"{100 * LEVEL:.3g} % confidence at least {100 * bound:.1f} %. "
        "The promise does not hold for the report split's population."
    )
