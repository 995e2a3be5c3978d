"""The proof of an exported file: loaded by the code that will serve it, it computes what torch computes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import ModelError
from service.inference.classifier import Classifier, Scores
from training.errors import ProofError

PROOF_TOLERANCE = 1e-6  # between torch and the file: absolute in a probability, relative in an ood_score


@dataclass(frozen=True, slots=True)
class Expected:
    """Torch's scores of N inputs, which the exported file must reproduce."""

    probabilities: NDArray[np.float32]  # [N, C]
    ood_score: NDArray[np.float32]  # [N]


@dataclass(frozen=True, slots=True)
class Proof:
    """A file that passed, and what it computed on the way."""

    classifier: Classifier
    scores: Scores  # of the N inputs
    difference: float  # largest difference in a probability


def load_draft(content: bytes) -> Classifier:
    """A file that is not published yet, loaded as the service would load it. Raises ProofError where it would not.

    It is never on a disk. So no disk can be full, and a job that is killed leaves nothing behind.
    """
    return _load(lambda: Classifier.of_bytes(content, Path("draft.onnx")))


def prove_export(path: Path, blocks: Iterable[NDArray[Any]], expected: Expected) -> Proof:
    """Load the file as the service will, and compare it with torch on every input.

    `blocks` holds the N inputs, some at a time. Raises ProofError when the largest difference in a probability, or the
    largest relative difference in an `ood_score`, is over 1e-6, or when any label differs.
    """
    classifier = _load(lambda: Classifier.load(path))
    scores = Scores.joined(classifier.scores(block) for block in blocks)
    difference, relative = scores.distance(expected.probabilities, expected.ood_score)
    labels = int((scores.probabilities.argmax(axis=1) != expected.probabilities.argmax(axis=1)).sum())
    if labels or not (difference <= PROOF_TOLERANCE and relative <= PROOF_TOLERANCE):  # so written, NaN fails too
        raise ProofError(
            f"the exported file does not compute what was trained: over {len(scores.confidence)} report inputs the "
            f"largest difference in a probability is {difference:.3g} and relative in an ood_score {relative:.3g}, "
            f"allowed {PROOF_TOLERANCE:g}, and {labels} labels differ, allowed 0"
        )
    return Proof(classifier, scores, difference)


def _load(load: Callable[[], Classifier]) -> Classifier:
    try:
        return load()
    except ModelError as error:
        raise ProofError(f"the service refuses the exported file: {error}") from None
