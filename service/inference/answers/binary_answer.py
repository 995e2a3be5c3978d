"""The answer of `POST /predict` as numbers: one record of fixed size for each input, for clients that send thousands.

As `.npy` it is a structured array, which NumPy reads by field name; as raw bytes it is the same without the header.
"""

import copy
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import Abstention
from service.contract.policy import Policy
from service.inference.answers.answer import WrittenAnswer
from service.inference.batching import RequestScores
from service.inference.classifier import Scores
from service.inference.decision import ANSWERED, Outcomes, outcomes
from service.inference.outcome import ModelRef, Outcome
from service.inference.readers.body import NPY, RAW

ABSTAINED = -1  # in place of a label
BINARY = (RAW, NPY)


def record(classes: int) -> "np.dtype[np.void]":
    """The record of one input, little-endian and packed.

    `label` is the index of the label, or ABSTAINED; `reason` is the index in REASONS, or ANSWERED.

    >>> record(10).names, record(10).itemsize
    (('label', 'reason', 'confidence', 'ood_score', 'probabilities'), 53)
    """
    return np.dtype(
        [
            ("label", "<i4"),
            ("reason", "i1"),
            ("confidence", "<f4"),
            ("ood_score", "<f4"),
            ("probabilities", "<f4", (classes,)),
        ]
    )


class BinaryAnswer:
    """Writes answers under one policy, as one of the media types in BINARY."""

    top_k = 0
    needs_all_probabilities = False  # not one by one

    def __init__(self, model: ModelRef, abstention: Abstention | None, policy: Policy, media_type: str) -> None:
        self.media_type = media_type
        self._headers = {"Demur-Model": f"{model.name}/{model.version}", "Demur-Policy": policy.model_dump_json()}
        self._abstention = abstention
        self._model = model
        self._policy = policy
        self._unknown = 0  # inputs with an unknown category

    def noting(self, unknown: Sequence[Sequence[str]]) -> "BinaryAnswer":
        """The same writer: a record has a fixed size, so the inputs are only counted."""
        noting = copy.copy(self)
        noting._unknown = sum(map(bool, unknown))
        return noting

    def write(self, scores: RequestScores) -> WrittenAnswer:
        """Write the records of N inputs."""
        decided = outcomes(scores.scores, self._policy, self._abstention)
        outcome = Outcome(self._model, self._policy, decided.tally(), self._unknown)
        records = _records(scores.scores, decided)
        if self.media_type == RAW:
            return WrittenAnswer(records.tobytes(), outcome, self._headers)
        file = io.BytesIO()
        np.lib.format.write_array(file, records, allow_pickle=False)
        return WrittenAnswer(file.getvalue(), outcome, self._headers)


def _records(scores: Scores, decided: Outcomes) -> NDArray[np.void]:
    records = np.empty(len(decided.labels), record(scores.probabilities.shape[1]))
    records["label"] = np.where(decided.reasons == ANSWERED, decided.labels, ABSTAINED)
    records["reason"] = decided.reasons
    records["confidence"] = scores.confidence
    records["ood_score"] = scores.ood_score
    records["probabilities"] = scores.probabilities
    return records
