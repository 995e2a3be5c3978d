"""Inputs that are none of the model's kind: what the gate is tried on. Each kind of input has its own."""

from typing import Any

from numpy.typing import NDArray

from service.contract.inputs import FeaturesInput, ImageInput, Kind, TokensInput
from training.reporting.evaluation import strange_features, strange_images, strange_tokens


def make(kind: Kind, inputs: NDArray[Any], seed: int = 0) -> dict[str, NDArray[Any]]:
    """All sets, by name, made from real inputs `[N, *row_shape]`. The same inputs and seed give the same sets."""
    match kind:
        case ImageInput():
            return strange_images.make(inputs, seed)
        case FeaturesInput():
            return strange_features.make(kind, inputs, seed)
        case TokensInput():
            return strange_tokens.make(kind, inputs, seed)
