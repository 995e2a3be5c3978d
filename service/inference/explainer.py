"""Why a model says what it says: for a linear model each input's exact share of a logit.

The model's own graph is run with its inner tensors as further outputs. Protobuf messages whose bytes stand one after
the other merge, and lists in them are joined: so a few bytes behind the file's make outputs of tensors, without a
library that writes such files. A logit is then the bias and the sum of the features times their weights.
"""

import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import Conflict, ModelError
from service.inference.classifier import Classifier, open_session
from service.inference.model_file import HeldFile, read_model, sha256

TENSORS = ("levels", "logits", "scaled_weights", "scaled_biases")  # as training/publishing/export.py names them

# What protobuf writes before a field of bytes: its number and the kind of it, 2.
_GRAPH, _OUTPUT, _NAME = (number << 3 | 2 for number in (7, 12, 1))  # ModelProto's, GraphProto's, ValueInfoProto's


@dataclass(frozen=True, slots=True)
class Parts:
    """What the logits of N inputs over C classes are made of: `levels @ weights + biases`."""

    levels: NDArray[np.float64]  # [N, D], the features, each times what the weights are divided by
    weights: NDArray[np.float64]  # [D, C], divided by the temperature
    biases: NDArray[np.float64]  # [C], divided by the temperature
    logits: NDArray[np.float64]  # [N, C]
    probabilities: NDArray[np.float32]  # [N, C], as `/predict` says them

    def contributions(self, row: int, label: int) -> NDArray[np.float64]:
        """Of each feature to one logit of one input, `[D]`: their sum and the bias are the logit."""
        products: NDArray[np.float64] = self.levels[row] * self.weights[:, label]
        return products


class Explainer:
    """Takes the logits of one model apart; safe to share between threads.

    The second session is made when it is first asked for: with many models it is memory, and few are ever asked.
    """

    def __init__(self, classifier: Classifier, file: bytes, intra_op_threads: int, max_bytes: int) -> None:
        """`file` is the classifier's, as it was proved."""
        self._classifier = classifier
        self._intra_op_threads = intra_op_threads
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._file = HeldFile(classifier.path, file)
        self._made: tuple[Any, NDArray[np.float64], NDArray[np.float64]] | None = None

    def parts(self, inputs: NDArray[Any]) -> Parts:
        """Of a batch, `[N, *row_shape]`.

        Raises Conflict where the file was written over where it lies, or has no tensors of these names.
        """
        name = self._classifier.manifest.input.name
        with self._lock:
            if self._made is None:
                session = self._session()
                weights, biases = session.run(["scaled_weights", "scaled_biases"], {name: inputs[:1]})
                self._made = session, weights, biases
        session, weights, biases = self._made
        levels, logits, probabilities = session.run(["levels", "logits", "probabilities"], {name: inputs})
        return Parts(levels, weights, biases, logits, probabilities)

    def _session(self) -> Any:
        """From the bytes that were proved: read again, which takes less than to keep those of every model."""
        path = self._classifier.path
        file = self._file.read(self._max_bytes)
        if sha256(file) != self._classifier.sha256:  # it was not held, or was written over
            with suppress(ModelError):
                file = read_model(path, self._max_bytes)
        if sha256(file) != self._classifier.sha256:
            raise Conflict("the model's file is not the one that is served any more: publish it again")
        try:
            return open_session(path, file + outputs(TENSORS), self._intra_op_threads)
        except ModelError:
            raise Conflict(
                f"this model cannot be explained: its graph does not name {', '.join(TENSORS)}. Train it again"
            ) from None


def outputs(names: Iterable[str]) -> bytes:
    """A ModelProto of nothing but a graph with these outputs, to stand behind another's bytes.

    >>> outputs(["ab"])
    b':\\x06b\\x04\\n\\x02ab'
    """
    return _field(_GRAPH, b"".join(_field(_OUTPUT, _field(_NAME, name.encode())) for name in names))


def _field(key: int, content: bytes) -> bytes:
    assert len(content) < 128, "a longer one has its length in several bytes"
    return bytes([key, len(content)]) + content
