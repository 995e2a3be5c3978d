"""Explains a logit: the exact contribution of each feature, since the model is linear in its features."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import Conflict
from service.inference.classifier import INNER_TENSORS, Classifier


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the logits of N inputs over C classes: `logits = levels @ weights + biases`."""

    levels: NDArray[np.float64]  # [N, D], the features in the graph's units
    weights: NDArray[np.float64]  # [D, C], divided by the temperature
    biases: NDArray[np.float64]  # [C], divided by the temperature
    logits: NDArray[np.float64]  # [N, C]
    probabilities: NDArray[np.float32]  # [N, C], as in a prediction

    def contributions(self, row: int, label: int) -> NDArray[np.float64]:
        """The contribution of each feature to one logit of one input, `[D]`; their sum plus the bias is the logit."""
        products: NDArray[np.float64] = self.levels[row] * self.weights[:, label]
        return products


class Explainer:
    """Takes the logits of one model apart; safe to share between threads."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._weights_and_biases: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None  # read once

    def parts(self, inputs: NDArray[Any]) -> Parts:
        """The parts of the logits of a batch, `[N, *row_shape]`. Raises Conflict for a graph without inner tensors."""
        classifier = self._classifier
        if not classifier.names_inner_tensors:
            raise Conflict(
                f"this model cannot be explained: its graph does not name {', '.join(INNER_TENSORS)}. Train it again"
            )
        if self._weights_and_biases is None:
            weights, biases = classifier.tensors(["scaled_weights", "scaled_biases"], inputs[:1])
            self._weights_and_biases = weights, biases
        levels, logits, probabilities = classifier.tensors(["levels", "logits", "probabilities"], inputs)
        return Parts(levels, *self._weights_and_biases, logits, probabilities)
