"""The trained model in torch: all that the exported graph computes, as the reference for its proof."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.certification.principal_components import PrincipalComponents
from training.data.encoders.encoder import Encoder
from training.fitting.principal_axes import PrincipalAxes
from training.fitting.regression import SoftmaxRegression
from training.fitting.softmax import softmax
from training.publishing.quadratic_form import QuadraticForm


def probabilities(logits: torch.Tensor, temperature: float) -> NDArray[np.float32]:
    """softmax(logits / temperature): float64 `[N, C]` -> float32 `[N, C]`."""
    return softmax(logits / temperature).float().numpy()


def logits_of(regression: SoftmaxRegression) -> Callable[[torch.Tensor], torch.Tensor]:
    """The logits as the file computes them, before the temperature: float64 `[N, D]` -> `[N, C]`."""
    linear = SoftmaxRegression(regression.weights.double(), regression.biases.double())
    quadratic = QuadraticForm.of(regression)
    if quadratic is None:
        return linear.logits
    return lambda features: linear.logits(features) + quadratic.logits(features)


@dataclass(frozen=True, slots=True)
class Model:
    """Features, regression, temperature, and how unlike the training inputs an input is. Its methods use float64."""

    encoder: Encoder
    regression: SoftmaxRegression  # float32, as it was trained
    temperature: float
    components: PrincipalComponents
    axes: PrincipalAxes | None = None  # of the regression's lift and, the first of them, of the components

    def probabilities(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Inputs `[N, *row_shape]` -> float32 `[N, C]`."""
        features = self.encoder.features(inputs, torch.float64)
        return probabilities(logits_of(self.regression)(features), self.temperature)

    def ood_score(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """How unlike the training inputs each input is, `[N, *row_shape]` -> float32 `[N]`."""
        return self.components.score(self.encoder.features(inputs, torch.float64)).float().numpy()
