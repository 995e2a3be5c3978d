"""All that the exported graph computes: the regression, its temperature, and how unlike `train` an input is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.abstention.principal_components import PrincipalComponents
from training.regression import SoftmaxRegression
from training.softmax import softmax


@dataclass(frozen=True, slots=True)
class Model:
    """The trained model. Its methods are the reference, in float64, that the exported file is compared with."""

    regression: SoftmaxRegression  # float32, as it was trained
    temperature: float
    components: PrincipalComponents

    def probabilities(self, features: Tensor) -> NDArray[np.float32]:
        """softmax(logits / temperature): float64 `[N, D]` -> float32 `[N, C]`."""
        logits = self.regression.to(dtype=features.dtype).logits(features)
        return softmax(logits / self.temperature).float().numpy()

    def ood_score(self, features: Tensor) -> NDArray[np.float32]:
        """Float64 `[N, D]` -> float32 `[N]`."""
        return self.components.score(features).float().numpy()
