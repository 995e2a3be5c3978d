"""The axes of most variance: by iteration as exactly, and of a hundred thousand features at all."""

import numpy as np
import pytest
import torch

from training.certification import leading_axes as module
from training.certification.leading_axes import leading_axes


def _data(rows: int, width: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Whose spread falls by a tenth from one direction to the next, in directions of their own."""
    generator = torch.Generator().manual_seed(0)
    spread = 0.9 ** torch.arange(width, dtype=torch.float64)
    turned = torch.linalg.qr(torch.randn(width, width, generator=generator, dtype=torch.float64))[0]
    drawn = torch.randn(rows, width, generator=generator, dtype=torch.float64) * spread
    data: torch.Tensor = (drawn @ turned + 3).to(dtype)
    return data


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
def test_iteration_finds_what_the_whole_matrix_has(
    dtype: torch.dtype, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = _data(400, 60, dtype)
    blocks, mean = list(data.split(150)), data.double().mean(dim=0)  # type: ignore[no-untyped-call]
    values, axes, trace = leading_axes(blocks, mean, 8)
    monkeypatch.setattr(module, "_FEW_FEATURES", 10)
    found, iterated, found_trace = leading_axes(blocks, mean, 8)
    np.testing.assert_allclose(found.numpy(), values.numpy(), rtol=tolerance)
    np.testing.assert_allclose((axes * iterated).sum(dim=0).abs().numpy(), 1, rtol=tolerance)
    assert found_trace == pytest.approx(trace, rel=tolerance)


def test_many_features_take_no_matrix_of_them() -> None:
    """Of 100,000 it would be 80 GB."""
    data = torch.randn(60, 100_000, generator=torch.Generator().manual_seed(0))
    values, axes, trace = leading_axes([data], data.double().mean(dim=0), 4)
    assert axes.shape == (100_000, 4)
    assert torch.allclose(axes.T @ axes, torch.eye(4, dtype=torch.float64), atol=1e-6)
    assert trace == pytest.approx(60 * 100_000, rel=0.05)
    assert 0 < values[-1] <= values[0] < trace
