"""How unlike the training inputs an input is: a principal component analysis of them, and three ways to fall outside.

The largest probability cannot tell: a linear map takes noise for something, often with great confidence. Two of the
three statistics are those of process monitoring (Jackson and Mudholkar 1979, Technometrics 21(3)):

- Q, the residual: energy of x - mean outside the principal subspace. Large for bright noise and inverted pictures.
- Q / energy: the share of the input's own energy that this is. Large for what is faint, empty or shuffled.
- T^2, Hotelling's: distance within the subspace in units of the training inputs' spread. Large for all white, bars.

`ood_score` is the largest of the three, each over its own high quantile on `train`, so that about 1 is the edge.

Where features are whole numbers of levels, as pixels are, the axes are rounded to so few binary digits that a float32
sums a projection without an error, in whatever order: in half the time of float64, and to the same bit everywhere.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from training.certification.leading_axes import leading_axes

COMPONENTS = 64
METHOD = "PCA of the training inputs: the largest of residual, relative residual and Hotelling's T^2"
# Added to both energies of the relative residual, in squared features: an input that is all 0 has share 1 outside.
FAINT = 1e-3
_FLOAT32_DIGITS = 24  # binary ones
_LARGEST_TURN = 0.01  # of an axis by its rounding
_QUANTILE = 0.9967  # of each statistic on train; any fixed numbers would do, these make the three about equally strict


@dataclass(frozen=True, slots=True)
class PrincipalComponents:
    """The K leading principal components of D features, float64, and the scales of the three statistics."""

    mean: Tensor  # [D]
    axes: Tensor  # [D, K], orthonormal, but for their rounding
    variances: Tensor  # [K]
    scales: Tensor  # [3]
    explained_variance: float
    exact_in_float32: bool = False  # the projection of a feature's levels on the axes

    @classmethod
    def of(cls, blocks: Iterable[Tensor], levels: float | None = None) -> "PrincipalComponents":
        """Fit on training features, `[N, D]` in some blocks of rows, computing in float64.

        `blocks` are gone through three times, or of very many features some times more. Where every feature is a whole
        number of `levels`-ths from 0 to 1, and they are few enough, the axes are rounded.
        """
        sums = [(len(block), block.sum(dim=0, dtype=torch.float64)) for block in blocks]
        count = sum(size for size, _ in sums)
        mean = torch.stack([total for _, total in sums]).sum(dim=0) / count
        kept = max(1, min(COMPONENTS, len(mean) // 2))
        values, axes, total = leading_axes(blocks, mean, kept)
        rounded = None if levels is None else rounded_axes(axes, levels)
        leading = cls(
            mean,
            axes if rounded is None else rounded,
            # A direction in which nothing ever varied has no spread to measure by.
            (values / (count - 1)).clamp(min=float(values[0] / (count - 1)) * 1e-12),
            torch.ones(3, dtype=torch.float64),
            float(values.sum() / total),
            exact_in_float32=rounded is not None,
        )
        statistics = torch.cat([leading.statistics(block.double()) for block in blocks])
        scales = torch.quantile(statistics, _QUANTILE, dim=0)
        return replace(leading, scales=scales)

    def statistics(self, features: Tensor) -> Tensor:
        """The three statistics in units of their scales, `[N, D]` float64 -> `[N, 3]`."""
        centred = features - self.mean
        along = centred @ self.axes  # [N, K]
        residual = (centred.square().sum(dim=1) - along.square().sum(dim=1)).clamp(min=0)
        relative = (residual + FAINT) / (features.square().sum(dim=1) + FAINT)
        hotelling = (along.square() / self.variances).sum(dim=1)
        return torch.stack([residual, relative, hotelling], dim=1) / self.scales

    def score(self, features: Tensor) -> Tensor:
        """`ood_score`, `[N, D]` float64 -> `[N]`."""
        return self.statistics(features).amax(dim=1)


def rounded_axes(axes: Tensor, levels: float) -> Tensor | None:
    """Axes `[D, K]` as multiples of a power of two, so that no sum of D levels times them passes 2^24 of that.

    A float32 holds every whole number up to there. None where this would turn an axis by more than 0.01: of many
    features each has too small a part in an axis.
    """
    largest = float(axes.abs().sum(dim=0).max()) * levels
    step = 2.0 ** (math.ceil(math.log2(largest)) - _FLOAT32_DIGITS)
    rounded = (axes / step).round() * step
    if float(rounded.abs().sum(dim=0).max()) * levels > step * 2**_FLOAT32_DIGITS:
        rounded = (axes / (2 * step)).round() * (2 * step)
    turned = float((rounded - axes).norm(dim=0).max())
    return rounded if turned <= _LARGEST_TURN else None
