"""Warnings in sentences, for the terminal and the report: contradictions, missing certificates, the worst class."""

from collections.abc import Sequence

from service.contract.manifest import Manifest, OperatingPoint
from service.contract.policy import RejectCostPolicy, SelectiveRiskPolicy
from training.certification.default_policy import uncertified_default
from training.reporting.evaluation.evaluation import ClassQuality
from training.reporting.numbers import percent
from training.reporting.operating_points import name

_MIN_ANSWERED = 30  # inputs of a class: with fewer, a single error is over 3 %


def as_lines(manifest: Manifest, points: Sequence[OperatingPoint], contradictions: Sequence[str]) -> list[str]:
    """All warnings for the terminal, that of a default policy that answers nothing last."""
    default = _default(manifest)
    others = [text for text in [*contradictions, *uncertified(manifest, points)] if text not in default]
    return [*(f"warning: {text}" for text in others), *(f"WARNING: {text}" for text in default)]


def uncertified(manifest: Manifest, points: Sequence[OperatingPoint]) -> list[str]:
    """A sentence for each target that is not certified, or one where there are no certificates."""
    return [
        *(_infeasible(point) for point in points if _is_infeasible(point)),
        *_gate(manifest),
        *_no_certificates(manifest),
        *_default(manifest),
    ]


def worst_class(classes: Sequence[ClassQuality]) -> str | None:
    """The class with the highest selective risk, beside that over all classes, in a sentence.

    None if no class with at least 30 answered inputs has an error. A risk over all classes hides such a class.

    >>> quality = lambda label, errors, answered: ClassQuality(label, 100, answered, errors, answered, errors)
    >>> worst_class([quality("Shirt", 14, 40), quality("Bag", 1, 60), quality("Dress", 5, 5)])
    'Of the answered inputs of class Shirt, 35.0 % get a wrong label; over all classes it is 19.0 %.'
    """
    counted = [c for c in classes if c.answered >= _MIN_ANSWERED and c.errors]
    if not counted:
        return None
    worst = max(counted, key=lambda c: c.errors / c.answered)
    overall = sum(c.errors for c in classes) / sum(c.answered for c in classes)
    return (
        f"Of the answered inputs of class {worst.label}, {percent(worst.errors / worst.answered)} get a wrong label; "
        f"over all classes it is {percent(overall)}."
    )


def _is_infeasible(point: OperatingPoint) -> bool:
    match point.policy:
        case SelectiveRiskPolicy(threshold=None) | RejectCostPolicy(answer_cost_bound=None):
            return True
        case _:
            return False


def _infeasible(point: OperatingPoint) -> str:
    return f"{name(point.policy)} could not be certified: under this policy the model always abstains."


def _gate(manifest: Manifest) -> list[str]:
    if manifest.abstention is None:
        return []
    gate = manifest.abstention.out_of_distribution
    if gate.false_alarm_rate <= gate.asked_false_alarm_rate:
        return []
    return [
        f"The {gate.size} rows of tune are too few independent examples for a false alarm rate of "
        f"{gate.asked_false_alarm_rate:g}: the gate promises {gate.false_alarm_rate:.3g}. "
        "Use more data or a higher --false-alarm-rate."
    ]


def _default(manifest: Manifest) -> list[str]:
    sizes = {name: split.size for name, split in manifest.data.splits.items()}
    warning = uncertified_default(manifest.default_policy, manifest.abstention, sizes)
    return [] if warning is None else [warning]


def _no_certificates(manifest: Manifest) -> list[str]:
    if manifest.abstention is not None:
        return []
    reuse = "" if manifest.data.report_is_held_out else " Its report split was also used to watch the training."
    return [f"This model has no certificates, because it has no calibration split.{reuse}"]
