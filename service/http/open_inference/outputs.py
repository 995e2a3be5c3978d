"""The outputs for N inputs, by their names in the protocol."""

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
    outputs = {"probabilities": ("FP32", [-1, classes]), "confidence": ("FP32", [-1]), "ood_score": ("FP32", [-1])}
    outputs |= dict.fromkeys(("decision", "label", "reason"), ("BYTES", [-1]))
    if choose(manifest.abstention, None, None) is not None:
        outputs["prediction_set"] = ("BOOL", [-1, classes])
    return outputs


def check_names(names: list[str], manifest: Manifest) -> None:
    """Raises InvalidValue for a name that is not an output."""
    outputs = described(manifest)
    for name in names:
        if name not in outputs:
            raise InvalidValue("outputs", f" names {truncated(name)}: the outputs are {', '.join(outputs)}")


def values(scores: Scores, outcome: Outcomes, manifest: Manifest, names: list[str]) -> dict[str, NDArray[Any]]:
    """The outputs of these names. `label` is empty for an abstention, `reason` for an answer."""
    outputs: dict[str, NDArray[Any]] = {
        "probabilities": scores.probabilities,
        "confidence": scores.confidence,
        "ood_score": scores.ood_score,
    }
    if not {"decision", "label", "reason"}.isdisjoint(names):
        answered = outcome.reasons == ANSWERED
        outputs["decision"] = np.where(answered, "answer", "abstain").astype(object)
        outputs["label"] = np.where(answered, np.array(manifest.labels, object)[outcome.labels], "")
        outputs["reason"] = np.array([*REASONS, ""], object)[outcome.reasons]  # ANSWERED is -1: the last
    if "prediction_set" in names:
        abstention = manifest.abstention
        sets = choose(abstention, None, None)
        assert abstention is not None  # the name was checked
        assert sets is not None
        outputs["prediction_set"] = members(scores, sets, abstention.out_of_distribution.threshold)
    return {name: outputs[name] for name in names}


def classified(probabilities: NDArray[np.float32], k: int, labels: list[str]) -> NDArray[Any]:
    """The classification extension: the top k of each input as `probability:index:label`, text `[N, min(k, C)]`.

    >>> classified(np.array([[0.25, 0.75]], dtype=np.float32), 9, ["cat", "dog"])
    array([['0.750000:1:dog', '0.250000:0:cat']], dtype=object)
    """
    classes = top_k(probabilities, min(k, len(labels)))
    texts = [[f"{row[c]:f}:{c}:{labels[c]}" for c in best] for row, best in zip(probabilities, classes, strict=True)]
    return np.array(texts, object)
