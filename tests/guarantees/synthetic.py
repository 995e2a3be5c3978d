"""Populations by formula: the confidence is uniform on (0, 1), and the error rate is a function of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Synthetic:
    """At the threshold t the coverage is 1 - t, and the risk is the mean of `error_rate` over (t, 1)."""

    name: str
    error_rate: Callable[[_Floats], _Floats]
    risk: Callable[[float], float]

    def draw(self, generator: np.random.Generator, size: int) -> tuple[_Floats, NDArray[np.bool_]]:
        """The confidence of `size` independent examples, and whether each is wrong."""
        confidence = generator.random(size)
        return confidence, generator.random(size) < self.error_rate(confidence)


# The integral of a (1 - k)^2.2 over (t, 1), divided by 1 - t, is a (1 - t)^2.2 / 3.2.
STEEP = Synthetic("steep", lambda k: 0.5 * (1 - k) ** 2.2, lambda t: 0.5 * (1 - t) ** 2.2 / 3.2)
NOISY_TOP = Synthetic("noisy top", lambda k: 0.01 + 0.48 * (1 - k) ** 2.2, lambda t: 0.01 + 0.48 * (1 - t) ** 2.2 / 3.2)
# Just over the target of 3 % at every threshold: any certificate breaks the promise.
FLAT = Synthetic("flat", lambda k: np.full_like(k, 0.0301), lambda _: 0.0301)
