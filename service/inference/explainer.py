"""Explains a logit: the exact contribution of each feature.

Where the logits are linear in the features, a contribution is the weight times the feature, and the bias is the logit
of an input whose features are all 0.

A quadratic lift adds unit * z.A z, with the symmetric matrix A of a class and z_k = steps_k sum_i (x_i - m_i) axes_ik
for an input x and the mean m of the training inputs. Its gradient grows in proportion to the distance from m. So the
gradient integrated along the straight line from m to x (integrated gradients: Sundararajan, Taly and Yan 2017, arXiv
1703.01365) has a closed form: the contribution of feature i is

    (x_i - m_i) (w_i + unit * sum_k axes_ik steps_k (A z)_k),

and the bias is the logit of m.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import Conflict
from service.inference.classifier import INNER_TENSORS, LIFT_TENSORS, Classifier

_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lift:
    """The quadratic part of the logits, as the graph has it."""

    mean: _Array  # [D], in the graph's units
    axes: _Array  # [D, K]
    steps: _Array  # [K]
    products: NDArray[Any]  # the matrices A side by side, [K, C * K]; or a row for each pair, [K (K + 1) / 2, C]
    unit: float  # of the products, divided by the temperature

    def slopes(self, levels: _Array, label: int, classes: int) -> _Array:
        """What the lift adds to the weights on the way from the mean to an input, `[D]` -> `[D]`.

        >>> lift = Lift(np.array([1.0]), np.array([[1.0]]), np.array([2.0]), np.array([[3.0]]), 0.5)
        >>> lift.slopes(np.array([5.0]), 0, 1)  # z = 2 (5 - 1) = 8, z.A z / 2 = 96 = 24 (5 - 1)
        array([24.])
        """
        z = self.steps * ((levels - self.mean) @ self.axes)
        along = self.matrix(label, classes) @ z
        slopes: _Array = self.axes @ (self.steps * along * self.unit)
        return slopes

    def matrix(self, label: int, classes: int) -> _Array:
        """A of one class, symmetric `[K, K]`.

        >>> zeros, pairs = np.zeros(2), np.array([[1.0], [6.0], [2.0]])
        >>> Lift(zeros, np.eye(2), zeros, pairs, 1.0).matrix(0, 1)
        array([[1., 3.],
               [3., 2.]])
        """
        count = len(self.steps)
        if self.products.shape == (count, classes * count):
            return self.products[:, label * count : (label + 1) * count].astype(np.float64)
        upper = np.zeros((count, count))
        upper[np.triu_indices(count)] = self.products[:, label]
        return (upper + upper.T) / 2


@dataclass(frozen=True)
class Parts:
    """The parts of the logits of N inputs over C classes, which are divided by the temperature."""

    levels: _Array  # [N, D], the features in the graph's units
    weights: _Array  # [D, C]
    biases: _Array  # [C], the logits where every feature is 0; with a lift, those of the mean
    probabilities: NDArray[np.float32]  # [N, C], as in a prediction
    lift: Lift | None

    def contributions(self, row: int, label: int) -> _Array:
        """The contribution of each feature to one logit of one input, `[D]`; their sum plus the bias is the logit."""
        weights, levels = self.weights[:, label], self.levels[row]
        if self.lift is None:
            return np.asarray(levels * weights)
        slopes = self.lift.slopes(levels, label, len(self.biases))
        return np.asarray((levels - self.lift.mean) * (weights + slopes))


class Explainer:
    """Takes the logits of one model apart; safe to share between threads."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def parts(self, inputs: NDArray[Any]) -> Parts:
        """The parts of the logits of a batch, `[N, *row_shape]`. Raises Conflict for a graph without inner tensors."""
        classifier = self._classifier
        required = INNER_TENSORS if classifier.manifest.lift is None else INNER_TENSORS + LIFT_TENSORS
        if not set(required) <= set(classifier.inner_tensors):
            raise Conflict(
                f"this model cannot be explained: its graph does not name {', '.join(required)}. Train it again"
            )
        weights, biases, lift = self._constants
        levels, probabilities = classifier.tensors(["levels", "probabilities"], inputs)
        return Parts(levels, weights, biases, probabilities, lift)

    @cached_property
    def _constants(self) -> tuple[_Array, _Array, Lift | None]:
        """Weights, biases and lift, read once from a run on a golden vector."""
        manifest = self._classifier.manifest
        golden = manifest.golden.decoded_inputs(manifest.input)[:1]
        weights, biases = self._classifier.tensors(["scaled_weights", "scaled_biases"], golden)
        if manifest.lift is None:
            return weights, biases, None
        mean, axes, steps, products, unit = self._classifier.tensors(LIFT_TENSORS, golden)
        count = manifest.lift.components
        lift = Lift(mean[:, 0], axes[:, :count].astype(np.float64), steps, products, float(unit))
        return weights, biases + lift.mean @ weights, lift
