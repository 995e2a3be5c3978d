"""What the model has to say of N inputs, by the names of the protocol's outputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidValue
from service.contract.manifest import Manifest
from service.contract.validation import truncated
from service.inference.classifier import Scores
from service.inference.decision import ANSWERED, REASONS, Outcomes, top_k
from service.inference.prediction_sets import choose, members


def described(manifest: Manifest) -> dict[str, tuple[str, list[int]]]:
    """Datatype and shape of each output; -1 is the batch."""
    classes = len(manifest.labels)
    found = {"probabilities": ("FP32", [-1, classes]), "confidence": ("FP32", [-1]), "ood_score": ("FP32", [-1])}
    found |= dict.fromkeys(("decision", "label", "reason"), ("BYTES", [-1]))
    if choose(manifest.abstention, None, None) is not None:
        found["prediction_set"] = ("BOOL", [-1, classes])
    return found


def check_names(names: list[str], manifest: Manifest) -> None:
    """Raises InvalidValue for a name that is no output's."""
    known = described(manifest)
    for name in names:
        if name not in known:
            raise InvalidValue("outputs", f" names {truncated(name)}: the outputs are {', '.join(known)}")


def values(scores: Scores, outcome: Outcomes, manifest: Manifest, names: list[str]) -> dict[str, NDArray[Any]]:
    """The outputs of those names. `label` is empty in an abstention, `reason` in an answer."""
    found: dict[str, NDArray[Any]] = {
        "probabilities": scores.probabilities,
        "confidence": scores.confidence,
        "ood_score": scores.ood_score,
    }
    if not {"decision", "label", "reason"}.isdisjoint(names):
        answered = outcome.reasons == ANSWERED
        found["decision"] = np.where(answered, "answer", "abstain").astype(object)
        found["label"] = np.where(answered, np.array(manifest.labels, object)[outcome.labels], "")
        found["reason"] = np.array([*REASONS, ""], object)[outcome.reasons]  # ANSWERED is -1: the last
    if "prediction_set" in names:
        abstention = manifest.abstention
        sets = choose(abstention, None, None)
        assert abstention is not None  # the name was checked
        assert sets is not None
        found["prediction_set"] = members(scores, sets, abstention.out_of_distribution.threshold)
    return {name: found[name] for name in names}


def classified(probabilities: NDArray[np.float32], k: int, labels: list[str]) -> NDArray[Any]:
    """The classification extension: the likeliest of each input as `probability:index:label`, text `[N, min(k, C)]`.

    >>> classified(np.array([[0.25, 0.75]], dtype=np.float32), 9, ["cat", "dog"])
    array([['0.750000:1:dog', '0.250000:0:cat']], dtype=object)
    """
    likeliest = top_k(probabilities, min(k, len(labels)))
    texts = [[f"{row[c]:f}:{c}:{labels[c]}" for c in best] for row, best in zip(probabilities, likeliest, strict=True)]
    return np.array(texts, object)
