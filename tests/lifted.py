"""Models with a quadratic lift and random weights, of any kind of input."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from service.contract.inputs import ImageInput
from tests import tiny_features
from training.certification.principal_components import PrincipalComponents
from training.data.encoders import Encoder, ImageEncoder
from training.fitting.lift import QuadraticLift
from training.fitting.principal_axes import PrincipalAxes
from training.fitting.regression import SoftmaxRegression
from training.publishing.model import Model

PICTURES = ImageEncoder(ImageInput(height=12, width=12))


def pictures(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Random pictures of 12 x 12 pixels, some brighter than others."""
    random = np.random.default_rng(seed)
    brightness = random.uniform(0.2, 1, (count, 1, 1))
    return (random.integers(0, 256, (count, 12, 12)) * brightness).astype(np.uint8)


def write(folder: Path) -> Path:
    """Write a model of such pictures."""
    some = pictures(200)
    return tiny_features.write(folder, model(PICTURES, some, 70), some[:4])


def model(encoder: Encoder, inputs: NDArray[Any], components: int, classes: int = 3, temperature: float = 1.7) -> Model:
    """Weights, biases and products are random, and the coordinates those of `inputs`, `[N, *row_shape]`."""
    blocks = [encoder.features(inputs, torch.float64)]
    axes = PrincipalAxes.fit(blocks, encoder.full_scale, components)
    lift = QuadraticLift.of(axes, blocks, components)
    random = torch.Generator().manual_seed(0)
    weights, biases = torch.randn(encoder.width, classes, generator=random), torch.randn(classes, generator=random)
    products = torch.randn(classes, lift.components, lift.components, generator=random)
    regression = SoftmaxRegression(0.3 * weights, biases, 0.1 * (products + products.transpose(1, 2)), lift)
    gate = PrincipalComponents.fit(blocks, encoder.full_scale, axes)
    gate = replace(gate, scales=torch.ones(3, dtype=torch.float64))  # a few tokens leave no residual to scale by
    return Model(encoder, regression, temperature, gate, axes)
