"""The directions in which features vary most: exactly where they are few, by subspace iteration where they are many.

The scatter of D features is a matrix `[D, D]`: of 784 it is 5 MB and quickly decomposed, of 100,000 it would be 80 GB.
Above 2,048 features the matrix is never made, only multiplied: time and memory then grow with D, not with its powers.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

_FEW_FEATURES = 2048
_MORE_AXES = 16  # than are asked for, so that the last of those are found as fast as the first
_ITERATIONS = 6


def leading_axes(blocks: Iterable[Tensor], mean: Tensor, kept: int) -> tuple[Tensor, Tensor, float]:
    """The `kept` largest eigenvalues of the features' scatter, falling, with their axes `[D, kept]`, and its trace.

    `blocks` hold the features, `[B, D]` each; `mean` is theirs, float64 `[D]`. The result is in float64; products of
    float32 features are made in float32, since without their mean they lose nothing that matters by it.
    """
    if len(mean) <= _FEW_FEATURES:
        scatter = torch.zeros(len(mean), len(mean), dtype=torch.float64)
        for block in blocks:
            centred = _centred(block, mean)
            scatter += centred.T @ centred
        values, axes = torch.linalg.eigh(scatter)  # rising
        return values[-kept:].flip(0), axes[:, -kept:].flip(1).contiguous(), float(values.sum())
    return _by_iteration(blocks, mean, kept)


def _by_iteration(blocks: Iterable[Tensor], mean: Tensor, kept: int) -> tuple[Tensor, Tensor, float]:
    """Subspace iteration with a Rayleigh-Ritz step at the end (Halko, Martinsson and Tropp 2011, SIAM Review 53(2))."""
    columns = min(len(mean), kept + _MORE_AXES)
    start = torch.randn(len(mean), columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis: Tensor = torch.linalg.qr(start)[0]
    for _ in range(_ITERATIONS):
        image, _ = _product(blocks, mean, basis)
        basis = torch.linalg.qr(image)[0]
    image, trace = _product(blocks, mean, basis)
    values, turn = torch.linalg.eigh(basis.T @ image)  # rising
    return values[-kept:].flip(0), (basis @ turn[:, -kept:].flip(1)).contiguous(), trace


def _product(blocks: Iterable[Tensor], mean: Tensor, basis: Tensor) -> tuple[Tensor, float]:
    """The scatter times `basis`, `[D, columns]`, and the scatter's trace."""
    image, trace = torch.zeros_like(basis), 0.0
    for block in blocks:
        centred = _centred(block, mean)
        image += centred.T @ (centred @ basis.to(block.dtype))
        trace += float(centred.square().sum(dtype=torch.float64))
    return image, trace


def _centred(block: Tensor, mean: Tensor) -> Tensor:
    """The difference is made in float64, so that nothing cancels, and rounded to what the features are."""
    return (block - mean).to(block.dtype)
