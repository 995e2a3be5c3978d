"""All that the exported graph computes: features, regression, temperature, and how unlike `train` an input is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.certification.principal_components import PrincipalComponents
from training.data.encoders.encoder import Encoder
from training.fitting.regression import SoftmaxRegression
from training.fitting.softmax import softmax


@dataclass(frozen=True, slots=True)
class Model:
    """The trained model. Its methods are the reference, in float64, that the exported file is compared with."""

    encoder: Encoder
    regression: SoftmaxRegression  # float32, as it was trained
    temperature: float
    components: PrincipalComponents

    def probabilities(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """softmax(logits / temperature): inputs `[N, *row_shape]` -> float32 `[N, C]`."""
        logits = self.regression.to(dtype=torch.float64).logits(self.encoder.features(inputs, torch.float64))
        return softmax(logits / self.temperature).float().numpy()

    def ood_score(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """How unlike the training inputs each is, `[N, *row_shape]` -> float32 `[N]`."""
        return self.components.score(self.encoder.features(inputs, torch.float64)).float().numpy()
