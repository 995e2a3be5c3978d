"""What a model does not promise: one sentence each, on the terminal and in the report."""

from collections.abc import Sequence

from service.contract.manifest import Manifest, OperatingPoint
from service.contract.policy import RejectCostPolicy, SelectiveRiskPolicy
from training.reporting.operating_points import name


def not_promised(manifest: Manifest, points: Sequence[OperatingPoint]) -> list[str]:
    """The targets that could not be certified, or that there is no certificate at all."""
    return [
        *(_infeasible(point) for point in points if _is_infeasible(point)),
        *_gate(manifest),
        *_no_certificates(manifest),
    ]


def _is_infeasible(point: OperatingPoint) -> bool:
    match point.policy:
        case SelectiveRiskPolicy(threshold=None) | RejectCostPolicy(answer_cost_bound=None):
            return True
        case _:
            return False


def _infeasible(point: OperatingPoint) -> str:
    return f"{name(point.policy)} could not be certified: a request that asks for it is never answered."


def _gate(manifest: Manifest) -> list[str]:
    if manifest.abstention is None:
        return []
    gate = manifest.abstention.out_of_distribution
    if gate.false_alarm_rate <= gate.asked_false_alarm_rate:
        return []
    return [
        f"The {gate.size} rows of tune are too few independent examples for a false alarm rate of "
        f"{gate.asked_false_alarm_rate:g}: the gate promises {gate.false_alarm_rate:.3g}. "
        "More data, or a higher --false-alarm-rate, end this warning."
    ]


def _no_certificates(manifest: Manifest) -> list[str]:
    if manifest.abstention is not None:
        return []
    why = "" if manifest.data.report_is_held_out else " Its report split was used to watch the training, too."
    return [f"This model carries no certificates: it has no calibration split, so nothing is promised.{why}"]
