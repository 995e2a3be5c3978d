"""The softmax to sixty digits, as the reference for errors."""

import mpmath
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_DIGITS = 60


def exact_softmax(logits: Tensor) -> NDArray[np.float64]:
    """Probabilities of logits `[N, C]` of any float type, taken exactly; each is rounded once, to float64.

    >>> import torch
    >>> exact_softmax(torch.tensor([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """
    with mpmath.workdps(_DIGITS):
        return np.array([_row(row) for row in logits.double().tolist()])


def relative_error(computed: Tensor, exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """|computed / exact - 1|, elementwise; NaN where `computed` is.

    >>> import torch
    >>> relative_error(torch.tensor([0.75]), np.array([0.5]))
    array([0.5])
    """
    error: NDArray[np.float64] = np.abs(computed.double().numpy() / exact - 1)
    return error


def _row(row: list[float]) -> list[float]:
    # No shift, since mpmath has no largest exponent.
    exponentials = [mpmath.exp(value) for value in row]
    total = mpmath.fsum(exponentials)
    return [float(value / total) for value in exponentials]
