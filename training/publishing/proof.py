"""The proof of an exported file: the code that will serve it computes what was trained."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import ModelError
from service.inference.classifier import Classifier, Scores
from training.errors import ProofError

PROOF_TOLERANCE = 1e-6  # largest difference between torch and the file: in a probability, and relative in an ood_score
_MODE = 0o644  # the service may run as another user

_Proof = TypeVar("_Proof")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the exported file must say of N inputs: torch's word for it."""

    probabilities: NDArray[np.float32]  # [N, C]
    ood_score: NDArray[np.float32]  # [N]


def load_draft(content: bytes) -> Classifier:
    """A file that is not published yet, as the service would load it. Raises ProofError where it would not.

    It is on no disk: so none can be full, and a job that is killed leaves nothing.
    """
    return _sound(lambda: Classifier.of_bytes(content, Path("draft.onnx")))


def prove_export(path: Path, blocks: Iterable[NDArray[Any]], expected: Expected) -> tuple[Classifier, float]:
    """Load the file as the service will, and compare it with torch on every input.

    `blocks` holds the N inputs, some at a time. Returns the classifier and the largest difference in a probability.
    Raises ProofError when that, or the relative one in an `ood_score`, is over 1e-6, or any label differs.
    """
    classifier = _sound(lambda: Classifier.load(path))
    found = Scores.joined(classifier.scores(block) for block in blocks)
    difference, relative = found.distance(expected.probabilities, expected.ood_score)
    labels = int((found.probabilities.argmax(axis=1) != expected.probabilities.argmax(axis=1)).sum())
    if labels or not (difference <= PROOF_TOLERANCE and relative <= PROOF_TOLERANCE):  # so written, NaN fails too
        raise ProofError(
            f"the exported file does not compute what was trained: over {len(found.confidence)} report inputs the "
            f"largest difference in a probability is {difference:.3g} and relative in an ood_score {relative:.3g}, "
            f"allowed {PROOF_TOLERANCE:g}, and {labels} labels differ, allowed 0"
        )
    return classifier, difference


def _sound(load: Callable[[], Classifier]) -> Classifier:
    try:
        return load()
    except ModelError as error:
        raise ProofError(f"the service refuses the exported file: {error}") from None
