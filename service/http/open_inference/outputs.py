"""The outputs for N inputs, by their names in the protocol."""

from collections.abc import Sequence
from typing import NamedTuple

from service.contract.errors import InvalidValue
from service.contract.manifest import Manifest
from service.contract.validation import truncated
from service.inference.batching import RequestScores
from service.inference.decision import Decision
from service.inference.prediction_sets import LabelSets, choose, members

TEXTS = ("decision", "label", "reason")


class Output(NamedTuple):
    """A requested output."""

    name: str
    binary: bool
    classification: int | None  # the number of top classes to return as text, instead of the values


def described(manifest: Manifest) -> dict[str, tuple[str, list[int]]]:
    """Datatype and shape of each output; -1 is the batch."""
    classes = len(manifest.labels)
    outputs = {"probabilities": ("FP32", [-1, classes]), "confidence": ("FP32", [-1]), "ood_score": ("FP32", [-1])}
    outputs |= dict.fromkeys(TEXTS, ("BYTES", [-1]))
    if choose(manifest.abstention, None, None) is not None:
        outputs["prediction_set"] = ("BOOL", [-1, classes])
    return outputs


def check(outputs: Sequence[Output], manifest: Manifest) -> None:
    """Raises InvalidValue for an output that the model does not have, or not in that form."""
    names = described(manifest)
    for name, _, _ in outputs:
        if name not in names:
            raise InvalidValue("outputs", f" names {truncated(name)}: the outputs are {', '.join(names)}")
    for name, _, classification in outputs:
        if classification is not None and name != "probabilities":
            raise InvalidValue("classification", f" is requested of {name}: only probabilities has it")


def sets_of(manifest: Manifest) -> LabelSets | None:
    """The prediction sets of a model; None if it has none."""
    sets = choose(manifest.abstention, None, None)
    if sets is None or manifest.abstention is None:
        return None
    return LabelSets(manifest.labels, sets, manifest.abstention.out_of_distribution.threshold)


def texts(decisions: Sequence[Decision], labels: Sequence[str]) -> dict[str, list[str]]:
    """The outputs in TEXTS. `label` is empty for an abstention, `reason` for an answer."""
    if len(decisions) == 1:  # the usual case, in a fifth of the time
        ((label, reason),) = decisions
        return {
            "decision": ["abstain" if label is None else "answer"],
            "label": ["" if label is None else labels[label]],
            "reason": [reason or ""],
        }
    return {
        "decision": ["abstain" if decision.label is None else "answer" for decision in decisions],
        "label": ["" if decision.label is None else labels[decision.label] for decision in decisions],
        "reason": [decision.reason or "" for decision in decisions],
    }


def set_members(scores: RequestScores, sets: LabelSets) -> list[bool]:
    """The output `prediction_set`, flat."""
    if len(scores.confidence) == 1:
        return sets.members(scores.probabilities[0], scores.confidence[0], scores.ood_score[0], scores.likeliest[0][0])
    flags: list[bool] = members(scores.scores, sets.sets, sets.max_ood_score).reshape(-1).tolist()
    return flags


def classified(scores: RequestScores, k: int, labels: Sequence[str]) -> list[str]:
    """The classification extension: the top k of each input as `probability:index:label`.

    >>> import numpy as np
    >>> from service.inference.classifier import Scores
    >>> p = np.array([[0.25, 0.75]], dtype=np.float32)
    >>> scores = Scores(p, p.max(axis=1), np.zeros(1, np.float32))
    >>> classified(RequestScores.of(scores, 2, all_probabilities=True), 2, ["cat", "dog"])
    ['0.750000:1:dog', '0.250000:0:cat']
    """
    rows = zip(scores.probabilities, scores.likeliest, strict=True)
    return [f"{row[c]:f}:{c}:{labels[c]}" for row, best in rows for c in best[:k]]
