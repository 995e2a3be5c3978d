"""A file is proved before anyone can see it, and then appears whole: written beside its place, proved, renamed."""

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import ModelError
from service.inference.classifier import Classifier, Scores
from training.errors import ProofError, TrainingError
from training.publishing.drafts import drafted, remove_left_behind
from training.publishing.folder import make_writable

PROOF_TOLERANCE = 1e-6  # largest difference between torch and the file: in a probability, and relative in an ood_score
_MODE = 0o644  # the service may run as another user

_Proof = TypeVar("_Proof")


def check_place(target: Path) -> None:
    """Raise TrainingError where `publish` could not put a file at `target`: before an hour's fit, not after it."""
    make_writable(target.parent)
    if target.is_dir():
        raise TrainingError(f"cannot write {target}: {os.strerror(errno.EISDIR)}")


def publish(content: bytes, target: Path, prove: Callable[[Path], _Proof]) -> _Proof:
    """Write `content` to `target` if `prove` accepts it, and return what `prove` returned.

    `prove` gets the finished file under a temporary name in the same folder; where it raises, or the process
    dies at any moment, whatever was at `target` stays as it was. The draft of a job that died goes with the next.
    """
    check_place(target)
    remove_left_behind(target)
    try:
        with drafted(target) as draft:
            _write(draft, content)
            outcome = prove(draft)
            draft.chmod(_MODE)
            draft.replace(target)
    except OSError as error:
        raise TrainingError(f"cannot write {target}: {error.strerror}") from None
    _sync_folder(target.parent)
    return outcome


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


def _write(draft: Path, content: bytes) -> None:
    """All of it, and onto the disk."""
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
