"""Explains a logit: the exact contribution of each feature.

Where the logits are linear in the features, a contribution is the weight times the feature, and the bias is the logit
of an input whose features are all 0.

A quadratic lift adds unit * z.A z, with the symmetric matrix A of a class and z_k = steps_k sum_i (x_i - m_i) axes_ik
for an input x and the mean m of the training inputs. Its gradient grows in proportion to the distance from m. So the
gradient integrated along the straight line from m to x (integrated gradients: Sundararajan, Taly and Yan 2017, arXiv
1703.01365) has a closed form: the contribution of feature i is

    (x_i - m_i) (w_i + unit * sum_k axes_ik steps_k (A z)_k),

and the bias is the logit of m. Where the graph multiplies bytes, z is 2 t, and the graph leaves out unit * 4 e.A e,
where e is what t is rounded by; so that is taken off along z, which keeps the sum exact.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import Conflict
from service.inference.classifier import (
    INNER_TENSORS,
    LIFT_TENSORS,
    WHOLE_LIFT_TENSORS,
    WHOLE_TENSORS,
    Classifier,
)

_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lift:
    """The quadratic part of the logits, as the graph has it."""

    mean: _Array  # [D], in the graph's units
    axes: _Array  # [D, K]
    steps: _Array  # [K]
    products: NDArray[Any]  # the matrices A side by side, [K, C * K]; or a row for each pair, [K (K + 1) / 2, C]
    units: _Array  # of the products, divided by the temperature, [C]

    def slopes(self, levels: _Array, label: int, classes: int) -> _Array:
        """What the lift adds to the weights on the way from the mean to an input, `[D]` -> `[D]`.

        >>> lift = Lift(np.array([1.0]), np.array([[1.0]]), np.array([2.0]), np.array([[3.0]]), np.array([0.5]))
        >>> lift.slopes(np.array([5.0]), 0, 1)  # z = 2 (5 - 1) = 8, z.A z / 2 = 96 = 24 (5 - 1)
        array([24.])
        """
        z = self.steps * ((levels - self.mean) @ self.axes)
        matrix = self.matrix(label, classes)
        along = matrix @ z
        if self.products.dtype == np.int8:
            rest = z - 2 * (z / 2).round().clip(-128, 127)
            along -= z * ((rest @ matrix @ rest) / max(float(z @ z), np.finfo(np.float64).tiny))
        slopes: _Array = self.axes @ (self.steps * along * self.units[label])
        return slopes

    def matrix(self, label: int, classes: int) -> _Array:
        """A of one class, symmetric `[K, K]`.

        >>> zeros, pairs = np.zeros(2), np.array([[1.0], [6.0], [2.0]])
        >>> Lift(zeros, np.eye(2), zeros, pairs, np.ones(1)).matrix(0, 1)
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
        classifier, required = self._classifier, self._required
        if not set(required) <= set(classifier.inner_tensors):
            raise Conflict(
                f"this model cannot be explained: its graph does not name {', '.join(required)}. Train it again"
            )
        weights, biases, lift = self._constants
        levels, probabilities = classifier.tensors([required[0], "probabilities"], inputs)
        return Parts(levels.astype(np.float64), weights, biases, probabilities, lift)

    @property
    def _required(self) -> tuple[str, ...]:
        """The inner tensors of a graph like this model's; the first is the input, `[N, D]`."""
        lifted = self._classifier.manifest.lift is not None
        if set(WHOLE_TENSORS) <= set(self._classifier.inner_tensors):
            return WHOLE_TENSORS + (WHOLE_LIFT_TENSORS if lifted else ())
        return INNER_TENSORS + (LIFT_TENSORS if lifted else ())

    @cached_property
    def _constants(self) -> tuple[_Array, _Array, Lift | None]:
        """Weights, biases and lift, read once from a run on a golden vector."""
        manifest, names = self._classifier.manifest, self._required
        golden = manifest.golden.decoded_inputs(manifest.input)[:1]
        tensors = dict(zip(names, self._classifier.tensors(names, golden), strict=True))
        if "columns" in tensors:
            columns = tensors["columns"].astype(np.float64)  # [D, M], the first of them the axes
            tensors |= {"scaled_weights": columns @ tensors["logit_parts"], "axes": columns}
            if manifest.lift is not None:
                tensors["mean"] = columns @ tensors["mean_parts"]
        weights, biases = tensors["scaled_weights"], tensors["scaled_biases"]
        if manifest.lift is None:
            return weights, biases, None
        unit = tensors["product_unit"]
        lift = Lift(
            tensors["mean"][:, 0],
            tensors["axes"][:, : manifest.lift.components].astype(np.float64),
            tensors["coordinate_steps"],
            tensors["products"],
            np.diag(unit) if unit.ndim == 2 else np.broadcast_to(unit, biases.shape),
        )
        return weights, biases + lift.mean @ weights, lift
