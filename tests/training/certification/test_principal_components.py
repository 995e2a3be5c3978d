"""The three out-of-distribution statistics, by hand and against numpy."""

import numpy as np
import pytest
import torch

from tests import tiny
from training.certification.principal_components import FAINT, PrincipalComponents
from training.fitting.principal_axes import COMPONENTS


def _data(size: int = 500, width: int = 12) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    spread = torch.linspace(2, 0.1, width, dtype=torch.float64)
    return torch.normal(0.0, 1.0, (size, width), generator=generator, dtype=torch.float64) * spread + 1


def test_statistics_by_hand() -> None:
    """See `tests/tiny.py` for the sums."""
    features = tiny.ENCODER.features(tiny.IMAGES, torch.float64)
    one_lit = [0.5, 0.501 / 1.001, 1.0]
    expected = [[0.0, 1.0, 0.0], one_lit, one_lit, [0.0, 0.001 / 2.001, 4.0]]
    np.testing.assert_allclose(tiny.COMPONENTS.statistics(features).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(tiny.COMPONENTS.score(features).numpy(), tiny.OOD_SCORES, atol=1e-12)


def test_components_agree_with_numpy() -> None:
    data = _data()
    components = PrincipalComponents.fit([data])
    _, singular, axes = np.linalg.svd(data.numpy() - data.numpy().mean(axis=0), full_matrices=False)
    variances = singular**2 / (len(data) - 1)
    kept = data.shape[1] // 2
    np.testing.assert_allclose(components.mean.numpy(), data.numpy().mean(axis=0))
    np.testing.assert_allclose(components.variances.numpy(), variances[:kept])
    np.testing.assert_allclose(np.abs((components.axes.numpy() * axes[:kept].T).sum(axis=0)), 1)
    assert components.explained_variance == pytest.approx(variances[:kept].sum() / variances.sum())


def test_blocks_change_nothing() -> None:
    data = _data()
    at_once, blocks = PrincipalComponents.fit([data]), PrincipalComponents.fit(list(data.split(7)))  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(at_once.score(data).numpy(), blocks.score(data).numpy(), rtol=1e-9)


def test_statistics_against_their_definitions() -> None:
    data = _data()
    components = PrincipalComponents.fit([data])
    centred = (data - components.mean).numpy()
    inside = centred @ components.axes.numpy() @ components.axes.numpy().T
    residual = ((centred - inside) ** 2).sum(axis=1)
    relative = (residual + FAINT) / ((data.numpy() ** 2).sum(axis=1) + FAINT)
    hotelling = ((centred @ components.axes.numpy()) ** 2 / components.variances.numpy()).sum(axis=1)
    expected = np.stack([residual, relative, hotelling], axis=1) / components.scales.numpy()
    np.testing.assert_allclose(components.statistics(data).numpy(), expected, rtol=1e-9)


def test_each_statistic_is_about_1_at_the_edge_of_the_training_inputs() -> None:
    data = _data(5000)
    components = PrincipalComponents.fit([data])
    over = (components.statistics(data) > 1).double().mean(dim=0)
    np.testing.assert_allclose(over.numpy(), 0.0033, atol=3e-4)


def test_many_features_keep_sixty_four_components_and_few_keep_half() -> None:
    assert PrincipalComponents.fit([_data(300, 200)]).axes.shape == (200, COMPONENTS)
    assert PrincipalComponents.fit([_data(300, 5)]).axes.shape == (5, 2)
    assert PrincipalComponents.fit([_data(300, 1)]).axes.shape == (1, 1)


def test_rounding_hardly_turns_the_axes() -> None:
    generator = torch.Generator().manual_seed(0)
    grey = torch.randint(0, 256, (400, 784), generator=generator, dtype=torch.uint8)
    components = PrincipalComponents.fit([grey.double() / 255], 255)
    assert components.rounded
    drifted = (components.axes.T @ components.axes - torch.eye(64, dtype=torch.float64)).abs().max().item()
    assert 0 < drifted < 5e-3


def test_constant_features() -> None:
    data = _data(300, 8)
    data[:, 2:] = 0.5  # two of eight vary, four components are kept
    components = PrincipalComponents.fit([data])
    assert torch.isfinite(components.statistics(data)).all()
    outside = data[:1].clone()
    outside[0, 5] = 3.0
    assert components.score(outside).item() > 10 * components.score(data).max().item()
