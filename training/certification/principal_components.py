"""Out-of-distribution scores from a principal component analysis of the training inputs.

The largest probability does not tell: a linear map is often very confident of noise. Two of the three statistics are
those of process monitoring (Jackson and Mudholkar 1979, Technometrics 21(3)):

- Q, the residual: the energy of x - mean outside the principal subspace. Large for bright noise and inverted pictures.
- Q / energy: its share of the input's own energy. Large for faint, empty or shuffled pictures.
- T^2, Hotelling's: the distance within the subspace, each axis scaled by the spread of the training inputs. Large for
  all white, and for bars.

`ood_score` is the largest of the three, each divided by a high quantile of its own on `train`, so that the edge is
about 1.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from training.fitting.principal_axes import PrincipalAxes, axes_of_gate

METHOD = "PCA of the training inputs: the largest of residual, relative residual and Hotelling's T^2"
# Added to both energies of the relative residual, in squared features: an input of zeros then has the share 1.
FAINT = 1e-3
_LEAST_SCALE = 1e-6  # of a statistic: few rows, or a single column, leave no residual on train to scale by
_QUANTILE = 0.9967  # of each statistic on train; any fixed values would do, these make the three about equally strict


@dataclass(frozen=True, slots=True)
class PrincipalComponents:
    """The K leading principal components of D features, float64, and the scales of the three statistics."""

    mean: Tensor  # [D]
    axes: Tensor  # [D, K], orthonormal up to their rounding
    variances: Tensor  # [K]
    scales: Tensor  # [3]
    explained_variance: float
    rounded: bool = False  # each axis to whole numbers of a unit

    @classmethod
    def fit(
        cls, blocks: Iterable[Tensor], levels: float | None = None, axes: PrincipalAxes | None = None
    ) -> "PrincipalComponents":
        """Fit on training features, `[N, D]` in blocks of rows, in float64.

        They are the first of the `axes`, which are computed where they are not given; arguments as for
        `PrincipalAxes.fit`. `blocks` are read once more.
        """
        axes = PrincipalAxes.fit(blocks, levels) if axes is None else axes
        first = axes.leading(axes_of_gate(len(axes.mean)))
        unscaled = cls(
            first.mean,
            first.axes,
            # A direction without any variation has no spread to scale by.
            first.variances.clamp(min=max(float(first.variances[0]), _LEAST_SCALE) * 1e-12),
            torch.ones(3, dtype=torch.float64),
            # Of rank-deficient inputs the other eigenvalues are 0 up to rounding, and may be below it.
            min(1.0, float(first.eigenvalues.sum()) / first.trace) if first.trace > 0 else 1.0,
            first.rounded,
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
