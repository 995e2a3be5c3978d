"""The table of operating points: each promise beside the results on `calibration` and on `report`."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from service.contract.certificates import Abstention
from service.contract.manifest import Manifest, OperatingPoint
from service.contract.policy import NeverAbstainPolicy, Policy, RejectCostPolicy, SelectiveRiskPolicy
from training.reporting.numbers import NONE, percent, round_percent
from training.reporting.terminal import table

_HEADER = [
    ("", "", "calibration", "", "report", ""),
    ("operating point", "answers where", "coverage", "risk", "coverage", "risk"),
]


@dataclass(frozen=True, slots=True)
class Row:
    """One operating point, in words. A risk is the share of errors, or with a cost matrix the mean cost, of answers."""

    name: str
    promise: str
    rule: str
    calibration_coverage: str
    calibration_risk: str
    report_coverage: str
    report_risk: str


def rows(manifest: Manifest, points: Sequence[OperatingPoint]) -> list[Row]:
    """A row for each of `points`, as `evaluation/operating_points.py` measured them on `report`."""
    return [_row(point, manifest, len_report=manifest.metrics.size) for point in points]


def as_text(manifest: Manifest, points: Sequence[OperatingPoint]) -> str:
    """The table for a terminal, with the confidence of the promises below it."""
    cells = [*_HEADER, *((row.name, *astuple(row)[2:]) for row in rows(manifest, points))]
    if manifest.abstention is None:
        return table(cells)
    evidence = [*manifest.abstention.selective_risk, *manifest.abstention.reject_cost]
    levels = " or ".join(dict.fromkeys(round_percent(c.confidence_level) for c in evidence))
    population = manifest.data.splits["calibration"].source
    return f"{table(cells)}\n{_how_sure(manifest.abstention, levels)}, for inputs drawn as from {population}."


def _how_sure(abstention: Abstention, levels: str) -> str:
    if max((c.family for c in abstention.selective_risk), default=1) > 1:
        return f"All selective_risk promises together have a confidence of {levels}, each other promise alone"
    grouped = any(c.unit == "group" for c in abstention.selective_risk)
    return f"Each promise alone has a confidence of {levels}" + (", tested by groups" if grouped else "")


def _row(point: OperatingPoint, manifest: Manifest, len_report: int) -> Row:
    abstention = manifest.abstention
    coverage, risk = _on_calibration(point.policy, abstention)
    return Row(
        name=name(point.policy) + (" (default)" if point.policy == manifest.default_policy else ""),
        promise=_promise(point.policy),
        rule=_rule(point.policy),
        calibration_coverage=coverage,
        calibration_risk=risk,
        report_coverage=percent(point.coverage),
        report_risk=_report_risk(point, abstention, len_report),
    )


def name(policy: Policy) -> str:
    """The policy by its name in a request."""
    match policy:
        case SelectiveRiskPolicy(selective_risk=risk):
            return f"selective_risk {risk}"
        case RejectCostPolicy(reject_cost=cost):
            return f"reject_cost {cost}"
        case NeverAbstainPolicy():
            return "never_abstain"
        case _:
            return f"threshold {policy.threshold:g}"


def _promise(policy: Policy) -> str:
    match policy:
        case SelectiveRiskPolicy(selective_risk=risk, confidence_level=level):
            return f"risk <= {round_percent(risk)}, with {round_percent(level)} confidence"
        case RejectCostPolicy(reject_cost=cost, confidence_level=level):
            return f"mean cost of an answer <= {cost:g}, with {round_percent(level)} confidence"
        case _:
            return "none"


def _rule(policy: Policy) -> str:
    match policy:
        case SelectiveRiskPolicy(threshold=None) | RejectCostPolicy(answer_cost_bound=None):
            return "nowhere: infeasible"
        case SelectiveRiskPolicy(threshold=threshold):
            return f"confidence >= {threshold:.4f}"
        case RejectCostPolicy(reject_cost=cost):
            return f"expected cost <= {cost:g}"
        case NeverAbstainPolicy():
            return "everywhere"
        case _:
            return f"confidence >= {policy.threshold:g}"


def _on_calibration(policy: Policy, abstention: Abstention | None) -> tuple[str, str]:
    """Coverage and risk on the calibration split, from the certificate."""
    for risk in abstention.selective_risk if abstention else []:
        if risk.policy() == policy and risk.answered and risk.errors is not None:
            return percent(risk.coverage), percent(risk.errors / risk.answered)
    for cost in abstention.reject_cost if abstention else []:
        if cost.policy() == policy and cost.status == "certified":
            return percent(cost.coverage), _cost(cost.answer_cost, abstention)
    return NONE, NONE


def _report_risk(point: OperatingPoint, abstention: Abstention | None, len_report: int) -> str:
    costs_are_errors = abstention is None or abstention.cost_matrix is None
    if costs_are_errors or not isinstance(point.policy, RejectCostPolicy) or not point.answered:
        return percent(point.selective_risk)
    assert point.mean_cost is not None  # of a policy by cost
    # The cost of the answers alone: abstentions are taken out of the mean over all inputs.
    total = point.mean_cost * len_report - point.policy.reject_cost * (len_report - point.answered)
    return _cost(total / point.answered, abstention)


def _cost(cost: float | None, abstention: Abstention | None) -> str:
    """A mean cost: of errors that cost 1 each, it is their share."""
    if cost is None or abstention is None:
        return NONE
    return percent(cost) if abstention.cost_matrix is None else f"cost {cost:.4f}"
