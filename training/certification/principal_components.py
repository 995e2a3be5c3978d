"""Out-of-distribution scores from a principal component analysis of the training inputs.

The largest probability does not tell: a linear map is often very confident of noise. Two of the three statistics are
those of process monitoring (Jackson and Mudholkar 1979, Technometrics 21(3)):

- Q, the residual: the energy of x - mean outside the principal subspace. Large for bright noise and inverted pictures.
- Q / energy: its share of the input's own energy. Large for faint, empty or shuffled pictures.
- T^2, Hotelling's: the distance within the subspace, each axis scaled by the spread of the training inputs. Large for
  all white, and for bars.

`ood_score` is the largest of the three, each divided by a high quantile of its own on `train`, so that the edge is
about 1.

The scatter matrix of D features, `[D, D]`, takes 5 MB for 784 features and is decomposed quickly; for 100,000 it would
take 80 GB. Above 2,048 features it is only multiplied, never formed: time and memory then grow linearly with D.

Where features are whole numbers of levels, as pixels are, the axes are rounded to so few binary digits that a float32
sums a projection without an error, in any order: in half the time of float64, and with the same bits on every machine.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

COMPONENTS = 64
METHOD = "PCA of the training inputs: the largest of residual, relative residual and Hotelling's T^2"
# Added to both energies of the relative residual, in squared features: an input of zeros then has the share 1.
FAINT = 1e-3
_FLOAT32_DIGITS = 24  # binary ones
_MAX_TURN = 0.01  # of an axis, by its rounding
_LEAST_SCALE = 1e-6  # of a statistic: few rows, or a single column, leave no residual on train to scale by
_QUANTILE = 0.9967  # of each statistic on train; any fixed values would do, these make the three about equally strict

_FEW_FEATURES = 2048
_EXTRA_AXES = 16  # so that the last of the requested axes converge as fast as the first
_ITERATIONS = 6


@dataclass(frozen=True, slots=True)
class PrincipalAxes:
    """The K leading principal axes of D features, by falling variance."""

    mean: Tensor  # float64 [D]
    axes: Tensor  # float64 [D, K], orthonormal up to their rounding
    eigenvalues: Tensor  # of the scatter matrix, float64 [K]
    trace: float  # of the scatter matrix
    count: int  # N, the number of rows
    exact_in_float32: bool = False  # the projection of a feature's levels on the axes

    @classmethod
    def fit(cls, blocks: Iterable[Tensor], levels: float | None = None, at_least: int = 0) -> "PrincipalAxes":
        """As many axes of training features, `[N, D]` in blocks of rows, as the gate needs, or `at_least` so many.

        `blocks` are read twice, and a few times more if there are many features. If every feature is a multiple of
        1 / `levels` from 0 to 1, and there are not too many, the axes are rounded.
        """
        sums = [(len(block), block.sum(dim=0, dtype=torch.float64)) for block in blocks]
        count = sum(size for size, _ in sums)
        mean = torch.stack([total for _, total in sums]).sum(dim=0) / count
        kept = min(len(mean), max(_of_gate(len(mean)), at_least))
        values, axes, trace = leading_axes(blocks, mean, kept)
        rounded = None if levels is None else rounded_axes(axes, levels)
        return cls(mean, axes if rounded is None else rounded, values, trace, count, rounded is not None)

    @property
    def variances(self) -> Tensor:
        """Along each axis, float64 `[K]`."""
        return self.eigenvalues / max(1, self.count - 1)

    @property
    def total_variance(self) -> float:
        """The sum of the variances of all D features."""
        return self.trace / max(1, self.count - 1)

    def leading(self, kept: int) -> "PrincipalAxes":
        """The first `kept` of the axes."""
        return replace(self, axes=self.axes[:, :kept], eigenvalues=self.eigenvalues[:kept])


@dataclass(frozen=True, slots=True)
class PrincipalComponents:
    """The K leading principal components of D features, float64, and the scales of the three statistics."""

    mean: Tensor  # [D]
    axes: Tensor  # [D, K], orthonormal up to their rounding
    variances: Tensor  # [K]
    scales: Tensor  # [3]
    explained_variance: float
    exact_in_float32: bool = False  # the projection of a feature's levels on the axes

    @classmethod
    def fit(
        cls, blocks: Iterable[Tensor], levels: float | None = None, axes: PrincipalAxes | None = None
    ) -> "PrincipalComponents":
        """Fit on training features, `[N, D]` in blocks of rows, in float64.

        They are the first of the `axes`, which are computed where they are not given; arguments as for
        `PrincipalAxes.fit`. `blocks` are read once more.
        """
        axes = PrincipalAxes.fit(blocks, levels) if axes is None else axes
        first = axes.leading(_of_gate(len(axes.mean)))
        unscaled = cls(
            first.mean,
            first.axes,
            # A direction without any variation has no spread to scale by.
            first.variances.clamp(min=max(float(first.variances[0]), _LEAST_SCALE) * 1e-12),
            torch.ones(3, dtype=torch.float64),
            # Of rank-deficient inputs the other eigenvalues are 0 up to rounding, and may be below it.
            min(1.0, float(first.eigenvalues.sum()) / first.trace) if first.trace > 0 else 1.0,
            first.exact_in_float32,
        )
        statistics = torch.cat([unscaled.statistics(block.double()) for block in blocks])
        scales = torch.quantile(statistics, _QUANTILE, dim=0).clamp(min=_LEAST_SCALE)
        return replace(unscaled, scales=scales)

    def statistics(self, features: Tensor) -> Tensor:
        """The three statistics, divided by their scales: `[N, D]` float64 -> `[N, 3]`."""
        centred = features - self.mean
        along = centred @ self.axes  # [N, K]
        residual = (centred.square().sum(dim=1) - along.square().sum(dim=1)).clamp(min=0)
        relative = (residual + FAINT) / (features.square().sum(dim=1) + FAINT)
        hotelling = (along.square() / self.variances).sum(dim=1)
        return torch.stack([residual, relative, hotelling], dim=1) / self.scales

    def score(self, features: Tensor) -> Tensor:
        """`ood_score`, `[N, D]` float64 -> `[N]`."""
        return self.statistics(features).amax(dim=1)


def _of_gate(features: int) -> int:
    """How many axes the gate has: half of them at most, so that there is a residual."""
    return max(1, min(COMPONENTS, features // 2))


def rounded_axes(axes: Tensor, levels: float) -> Tensor | None:
    """Axes `[D, K]` as multiples of a power of two, so that no sum of D levels times them exceeds 2^24 multiples.

    A float32 holds every whole number up to 2^24. None if the rounding would turn an axis by more than 0.01: with many
    features, each has too small a part in an axis.
    """
    largest = float(axes.abs().sum(dim=0).max()) * levels
    step = 2.0 ** (math.ceil(math.log2(largest)) - _FLOAT32_DIGITS)
    rounded = (axes / step).round() * step
    if float(rounded.abs().sum(dim=0).max()) * levels > step * 2**_FLOAT32_DIGITS:
        rounded = (axes / (2 * step)).round() * (2 * step)
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
