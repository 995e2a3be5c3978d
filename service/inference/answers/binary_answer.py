"""The answer of `POST /predict` as numbers: a record of fixed size for each input, for clients that send thousands.

As `.npy` it is a structured array, which NumPy reads by name; as bytes it is the same without the header.
"""

import io

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import Abstention
from service.contract.policy import Policy
from service.inference.answers.answer import WrittenAnswer
from service.inference.batching import Rows
from service.inference.classifier import Scores
from service.inference.decision import ANSWERED, Outcomes, outcomes
from service.inference.outcome import ModelRef, Outcome
from service.inference.readers.body import NPY, RAW

ABSTAINED = -1  # in the place of a label
BINARY = (RAW, NPY)


def record(classes: int) -> "np.dtype[np.void]":
    """The record of one input, little-endian and packed.

    `label` is the index of the label that is given, ABSTAINED where there is none; `reason` the place in REASONS of
    why not, ANSWERED in an answer.

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
    """Answers under one policy, as one of the media types of BINARY."""

    k = 0  # it lists no likeliest labels
    whole = False

    def __init__(self, model: ModelRef, abstention: Abstention | None, policy: Policy, media_type: str) -> None:
        self.media_type = media_type
        self._abstention = abstention
        self._model = model
        self._policy = policy
        self.said = {"Demur-Model": f"{model.name}/{model.version}", "Demur-Policy": policy.model_dump_json()}

    def write(self, rows: Rows) -> WrittenAnswer:
        """The answers to N inputs."""
        found = outcomes(rows.scores, self._policy, self._abstention)
        decided = Outcome(self._model, self._policy, found.tally())
        records = _records(rows.scores, found)
        if self.media_type == RAW:
            return WrittenAnswer(records.tobytes(), decided)
        file = io.BytesIO()
        np.lib.format.write_array(file, records, allow_pickle=False)
        return WrittenAnswer(file.getvalue(), decided)


def _records(scores: Scores, found: Outcomes) -> NDArray[np.void]:
    records = np.empty(len(found.labels), record(scores.probabilities.shape[1]))
    records["label"] = np.where(found.reasons == ANSWERED, found.labels, ABSTAINED)
    records["reason"] = found.reasons
    records["confidence"] = scores.confidence
    records["ood_score"] = scores.ood_score
    records["probabilities"] = scores.probabilities
    return records
