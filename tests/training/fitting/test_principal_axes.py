"""The leading principal axes, also of many features, and their rounding."""

import numpy as np
import pytest
import torch

from training.fitting import principal_axes
from training.fitting.principal_axes import leading_axes, rounded_axes


@pytest.mark.parametrize("width", [2, 28 * 28, 64 * 64 * 3])
def test_rounded_axes_are_whole_multiples(width: int) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.normal(0.0, 1.0, (width, 3), generator=generator, dtype=torch.float64)
    rounded = rounded_axes(drawn / drawn.norm(dim=0))
    assert rounded is not None
    whole = rounded / rounded.abs().amax(dim=0) * 64
    torch.testing.assert_close(whole, whole.round(), rtol=0, atol=1e-9)


def test_axis_of_one_large_number_and_many_small_ones_is_not_rounded() -> None:
    axis = torch.full((10_000, 1), 0.005, dtype=torch.float64)
    axis[0] = 0.75**0.5
    assert axis.norm().item() == pytest.approx(1, abs=1e-2)
    assert rounded_axes(axis) is None


def _falling(rows: int, width: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Data whose spread falls by a tenth from one direction to the next, in random directions."""
    generator = torch.Generator().manual_seed(0)
    spread = 0.9 ** torch.arange(width, dtype=torch.float64)
    turned = torch.linalg.qr(torch.randn(width, width, generator=generator, dtype=torch.float64))[0]
    drawn = torch.randn(rows, width, generator=generator, dtype=torch.float64) * spread
    data: torch.Tensor = (drawn @ turned + 3).to(dtype)
    return data


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
def test_iteration_agrees_with_the_decomposition(
    dtype: torch.dtype, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = _falling(400, 60, dtype)
    blocks, mean = list(data.split(150)), data.double().mean(dim=0)  # type: ignore[no-untyped-call]
    variances, axes, trace = leading_axes(blocks, mean, 8)
    monkeypatch.setattr(principal_axes, "_FEW_FEATURES", 10)
    iterated_variances, iterated_axes, iterated_trace = leading_axes(blocks, mean, 8)
    np.testing.assert_allclose(iterated_variances.numpy(), variances.numpy(), rtol=tolerance)
    np.testing.assert_allclose((axes * iterated_axes).sum(dim=0).abs().numpy(), 1, rtol=tolerance)
    assert iterated_trace == pytest.approx(trace, rel=tolerance)


def test_many_features_need_no_scatter_matrix() -> None:
    """For 100,000 features it would take 80 GB."""
    data = torch.randn(60, 100_000, generator=torch.Generator().manual_seed(0))
    variances, axes, trace = leading_axes([data], data.double().mean(dim=0), 4)
    assert axes.shape == (100_000, 4)
    assert torch.allclose(axes.T @ axes, torch.eye(4, dtype=torch.float64), atol=1e-6)
    assert trace == pytest.approx(60 * 100_000, rel=0.05)
    assert 0 < variances[-1] <= variances[0] < trace
