"""Strange inputs, which the model was not trained for: the gate is tested on them. Each kind of input has its own."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import FeaturesInput, ImageInput, Kind, TokensInput
from training.reporting.evaluation import strange_features, strange_images


def make(kind: Kind, inputs: NDArray[Any], seed: int = 0) -> dict[str, NDArray[Any]]:
    """All sets by name, made from real inputs `[N, *row_shape]`. The same inputs and seed give the same sets."""
    match kind:
        case ImageInput():
            return strange_images.make(inputs, seed)
        case FeaturesInput():
            return strange_features.make(kind, inputs, seed)
        case TokensInput():
            return _tokens(kind, inputs, seed)


def _tokens(kind: TokensInput, inputs: NDArray[np.int64], seed: int = 0) -> dict[str, NDArray[np.int64]]:
    """Contexts that no text has: random tokens, one token repeated, and shuffled contexts, `[N, context]` each."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(kind.vocabulary), inputs.shape)
    repeated = np.repeat(rng.integers(0, len(kind.vocabulary), (len(inputs), 1)), kind.context, axis=1)
    return {
        "tokens drawn at random": drawn,
        "one token repeated": repeated,
        "tokens of other contexts": rng.permuted(inputs, axis=0),
    }
