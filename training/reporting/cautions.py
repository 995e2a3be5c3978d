"""Warnings in sentences, for the terminal and the report: contradictions, missing certificates, doubts about the fit,
and the worst class.
"""

from collections.abc import Sequence

from service.contract.manifest import Manifest, OperatingPoint
from service.contract.policy import RejectCostPolicy, SelectiveRiskPolicy
from service.contract.training import Training
from training.certification.default_policy import uncertified_default
from training.reporting.evaluation.evaluation import ClassQuality
from training.reporting.numbers import percent
from training.reporting.operating_points import name

_MIN_TUNE = 100  # rows that an epoch is chosen on: the standard error of an accuracy is up to 5 points
_MIN_CHOSEN = 30  # rows that the recipe auto chooses on
_STRONGER = 10**0.5  # the next weight decay of a path
_MAX_NAMED = 5
_MIN_ANSWERED = 30  # inputs of a class: with fewer, a single error is over 3 %


def as_lines(manifest: Manifest, points: Sequence[OperatingPoint], contradictions: Sequence[str]) -> list[str]:
    """All warnings for the terminal, that of a default policy that answers nothing last."""
    default = _default(manifest)
    others = [
        text for text in [*contradictions, *uncertified(manifest, points), *doubts(manifest)] if text not in default
    ]
    return [*(f"warning: {text}" for text in others), *(f"WARNING: {text}" for text in default)]


def uncertified(manifest: Manifest, points: Sequence[OperatingPoint]) -> list[str]:
    """A sentence for each target that is not certified, or one where there are no certificates."""
    return [
        *(_infeasible(point) for point in points if _is_infeasible(point)),
        *_gate(manifest),
        *_no_certificates(manifest),
        *_default(manifest),
    ]


def doubts(manifest: Manifest) -> list[str]:
    """A sentence for each sign that other settings or other data would give a better fit, with what to do."""
    return [*_edge(manifest.training), *_epoch(manifest.training), *_few_rows(manifest), *_never_named(manifest)]


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


def _edge(training: Training) -> list[str]:
    selection, decay = training.selection, training.weight_decay
    edge = None if selection is None else selection.tried[selection.chosen].edge
    if edge is None:
        return []
    beyond = decay * _STRONGER if edge == "strongest" else decay / _STRONGER
    doubt = " If it is not, the inputs say little about the labels." if edge == "strongest" else ""
    return [
        f"The chosen weight decay, {decay:g}, is the {edge} of those tried: try --weight-decay {beyond:.2g}, which may "
        f"be better.{doubt}"
    ]


def _epoch(training: Training) -> list[str]:
    if training.recipe not in ("chapter", "tuned") or training.keep != "best" or training.epochs == 1:
        return []
    if training.best_epoch == 1:
        return [
            f"The first of {training.epochs} epochs has the lowest loss on tune: the others made it worse. Try a "
            f"--learning-rate under {training.learning_rate:g}, or --recipe auto."
        ]
    if training.best_epoch == training.epochs and training.schedule == "constant":
        return [
            f"The last of {training.epochs} epochs has the lowest loss on tune: it was still falling. Try --epochs "
            f"{2 * training.epochs}, or --recipe auto."
        ]
    return []


def _few_rows(manifest: Manifest) -> list[str]:
    training, tune = manifest.training, manifest.data.splits["tune"].size
    if training.recipe == "tuned" and training.keep == "best" and tune < _MIN_TUNE:
        return [
            f"The {tune} rows of tune are too few to choose the best of {training.epochs} epochs on: use --recipe "
            "auto, which chooses by cross-validation, or more data."
        ]
    if training.selection is not None and training.selection.rows < _MIN_CHOSEN:
        return [
            f"The settings were chosen on {training.selection.rows} rows, which is little more than chance: use more "
            "data, or set --weight-decay and --lift."
        ]
    return []


def _never_named(manifest: Manifest) -> list[str]:
    counts = manifest.reference.labels
    never = [label for label, count in zip(manifest.labels, counts, strict=True) if not count]
    if not never or manifest.training.recipe == "next-token":
        return []
    names = ", ".join(map(repr, never[:_MAX_NAMED])) + (
        f" and {len(never) - _MAX_NAMED} more" if len(never) > _MAX_NAMED else ""
    )
    return [
        f"On the {manifest.reference.size:,} rows of {manifest.reference.split} the model never predicts {names}: "
        "use more examples of what it never predicts, or leave it out."
    ]


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
