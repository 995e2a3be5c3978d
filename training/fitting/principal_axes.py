"""The principal axes of the training inputs, which a lift and the out-of-distribution gate share.

The scatter matrix of D features, `[D, D]`, takes 5 MB for 784 features and is decomposed quickly; for 100,000 it would
take 80 GB. Above 2,048 features it is only multiplied, never formed: time and memory then grow linearly with D.

Where features are whole numbers of levels, as pixels are, each axis is rounded to whole numbers from -64 to 64 of a
unit: then a file projects pixels by a product of bytes, exactly and fastest (`training.publishing.whole_numbers`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from training.data.dataset import Labelled
from training.data.encoders import Encoder
from training.data.encoders.encoder import Encoded

COMPONENTS = 64  # of the gate
AXIS_STEPS = 64  # of a rounded axis: the largest whole number
# Of an axis, by its rounding. It brings noise of a ten-thousandth of a picture's energy, spread over all axes.
_MAX_TURN = 0.1
_FEW_FEATURES = 2048
_EXTRA_AXES = 16  # so that the last of the requested axes converge as fast as the first
_ITERATIONS = 6
_MAX_ROWS = 50_000  # more would not move the axes by anything that matters
_MAX_SAMPLED = 2**26  # features of those rows, 256 MB


@dataclass(frozen=True, slots=True)
class PrincipalAxes:
    """The K leading principal axes of D features, by falling variance."""

    mean: Tensor  # float64 [D]
    axes: Tensor  # float64 [D, K], orthonormal up to their rounding
    eigenvalues: Tensor  # of the scatter matrix, float64 [K]
    trace: float  # of the scatter matrix
    count: int  # N, the number of rows
    rounded: bool = False  # each axis to whole numbers of a unit

    @classmethod
    def fit(cls, blocks: Iterable[Tensor], levels: float | None = None, at_least: int = 0) -> "PrincipalAxes":
        """As many axes of training features, `[N, D]` in blocks of rows, as the gate needs, or `at_least` so many.

        `blocks` are read twice, and a few times more if there are many features. `levels` rounds the axes: for features
        that are whole multiples of 1 / `levels`.
        """
        sums = [(len(block), block.sum(dim=0, dtype=torch.float64)) for block in blocks]
        count = sum(size for size, _ in sums)
        mean = torch.stack([total for _, total in sums]).sum(dim=0) / count
        kept = min(len(mean), max(axes_of_gate(len(mean)), at_least))
        values, axes, trace = leading_axes(blocks, mean, kept)
        rounded = None if levels is None else rounded_axes(axes)
        return cls(mean, axes if rounded is None else rounded, values, trace, count, rounded is not None)

    @property
    def variances(self) -> Tensor:
        """Along each axis, float64 `[K]`."""
        return self.eigenvalues / max(1, self.count - 1)

    @property
    def total_variance(self) -> float:
        """The sum of the variances of all D features."""
        return self.trace / max(1, self.count - 1)

    @property
    def of_gate(self) -> int:
        """How many of the axes the gate has."""
        return axes_of_gate(len(self.mean))

    def leading(self, kept: int) -> "PrincipalAxes":
        """The first `kept` of the axes."""
        return replace(self, axes=self.axes[:, :kept], eigenvalues=self.eigenvalues[:kept])


def sample(encoder: Encoder, train: Labelled) -> Encoded:
    """The features of the first training examples, as many as fit into memory: the split's order is random."""
    count = max(2, min(_MAX_ROWS, _MAX_SAMPLED // encoder.width))
    return Encoded(train.take(np.arange(min(count, len(train)))), encoder)


def axes_of_gate(features: int) -> int:
    """How many axes the gate has: half of them at most, so that there is a residual."""
    return max(1, min(COMPONENTS, features // 2))


def rounded_axes(axes: Tensor) -> Tensor | None:
    """Axes `[D, K]`, each in whole multiples of 1/64 of its largest number.

    None if that would turn an axis by more than 0.1: one of very few large numbers and very many small ones.

    >>> rounded_axes(torch.tensor([[0.625], [0.75]])) * 256 / 3  # in multiples of 0.75 / 64
    tensor([[53.],
            [64.]])
    """
    units = axes.abs().amax(dim=0) / AXIS_STEPS
    rounded = (axes / units).round() * units
    turn = float((rounded - axes).norm(dim=0).max())
    return rounded if turn <= _MAX_TURN else None


def leading_axes(blocks: Iterable[Tensor], mean: Tensor, kept: int) -> tuple[Tensor, Tensor, float]:
    """The `kept` largest eigenvalues of the scatter matrix, falling, with their axes `[D, kept]`, and its trace.

    `blocks` hold the features, `[B, D]` each; `mean` is their mean, float64 `[D]`. The result is float64. Products of
    float32 features are computed in float32: without their mean, the loss is negligible.
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
    """Subspace iteration with a final Rayleigh-Ritz step (Halko, Martinsson and Tropp 2011, SIAM Review 53(2))."""
    columns = min(len(mean), kept + _EXTRA_AXES)
    start = torch.randn(len(mean), columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis: Tensor = torch.linalg.qr(start)[0]
    for _ in range(_ITERATIONS):
        image, _ = _scatter_times(blocks, mean, basis)
        basis = torch.linalg.qr(image)[0]
    image, trace = _scatter_times(blocks, mean, basis)
    values, rotation = torch.linalg.eigh(basis.T @ image)  # rising
    return values[-kept:].flip(0), (basis @ rotation[:, -kept:].flip(1)).contiguous(), trace


def _scatter_times(blocks: Iterable[Tensor], mean: Tensor, basis: Tensor) -> tuple[Tensor, float]:
    """The scatter matrix times `basis`, `[D, columns]`, and the trace of the scatter matrix."""
    image, trace = torch.zeros_like(basis), 0.0
    for block in blocks:
        centred = _centred(block, mean)
        image += centred.T @ (centred @ basis.to(block.dtype))
        trace += float(centred.square().sum(dtype=torch.float64))
    return image, trace


def _centred(block: Tensor, mean: Tensor) -> Tensor:
    """Subtract in float64, so that nothing cancels, then round to the type of the features."""
    return (block - mean).to(block.dtype)
