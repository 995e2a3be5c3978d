"""Contexts that no text has: what the gate is tried on."""

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import TokensInput


def make(kind: TokensInput, inputs: NDArray[np.int64], seed: int = 0) -> dict[str, NDArray[np.int64]]:
    """As many of each as there are real contexts `[N, context]`: drawn tokens, one token again and again, shuffled."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(kind.vocabulary), inputs.shape)
    repeated = np.repeat(rng.integers(0, len(kind.vocabulary), (len(inputs), 1)), kind.context, axis=1)
    return {
        "tokens drawn at random": drawn,
        "one token repeated": repeated,
        "tokens of other contexts": rng.permuted(inputs, axis=0),
    }
