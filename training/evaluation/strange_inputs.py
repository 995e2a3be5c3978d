"""Inputs that are none of the model's kind: what the gate is tried on. Each kind of input has its own."""

from typing import Any

from numpy.typing import NDArray

from service.inputs import FeaturesInput, ImageInput
from training.evaluation import strange_features, strange_images


def make(kind: ImageInput | FeaturesInput, inputs: NDArray[Any], seed: int = 0) -> dict[str, NDArray[Any]]:
    """All sets, by name, made from real inputs `[N, *row_shape]`. The same inputs and seed give the same sets."""
    match kind:
        case ImageInput():
            return strange_images.make(inputs, seed)
        case FeaturesInput():
            return strange_features.make(kind, inputs, seed)
