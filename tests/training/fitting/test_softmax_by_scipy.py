"""SciPy's own tests of softmax, log-softmax and log-sum-exp, from its wheel, run on our functions.

Our functions replace the three names in SciPy's module, each behind an adapter: SciPy's take arrays of any shape, axes
and integers, ours rows of float logits. Unsupported features are skipped, and each skip names its feature. Of the tests
of SciPy 1.17.1, 30 pass, 50 are skipped for weights and 6 for complex numbers; 320 more pairs of complex infinities are
left out below.
"""

import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special.tests import test_logsumexp as theirs

from training.fitting import softmax as ours

Axes = int | tuple[int, ...] | None


@pytest.fixture
def xp() -> ModuleType:
    """The array library that SciPy's tests use."""
    return np


@pytest.fixture
def devices() -> list[None]:
    """numpy has one."""
    return [None]


@pytest.fixture(autouse=True)
def _ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theirs, "softmax", _softmax)
    monkeypatch.setattr(theirs, "log_softmax", _log_softmax)
    monkeypatch.setattr(theirs, "logsumexp", _log_sum_exp)


class TestSoftmax(theirs.TestSoftmax):  # type: ignore[misc]
    """All of SciPy's."""


class TestLogSoftmax(theirs.TestLogSoftmax):  # type: ignore[misc]
    """All of SciPy's."""


class TestLogSumExp(theirs.TestLogSumExp):  # type: ignore[misc]
    """All of SciPy's tests with real numbers and without weights."""

    # SciPy gives an iterator, which this pytest rejects, and 320 of the 324 pairs are complex.
    @pytest.mark.parametrize(("x", "y"), list(itertools.product((-np.inf, np.inf), repeat=2)))
    def test_gh22601_infinite_elements(self, x: float, y: float, xp: ModuleType) -> None:
        super().test_gh22601_infinite_elements(x, y, xp)


def _softmax(x: Any, axis: Axes = None) -> Any:
    return _elementwise(ours.softmax, x, axis)


def _log_softmax(x: Any, axis: Axes = None) -> Any:
    return _elementwise(ours.log_softmax, x, axis)


def _log_sum_exp(a: Any, axis: Axes = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    if b is not None or return_sign:
        pytest.skip("ours has no weights, and so no sign")
    values, axes = _real(a), _axes(np.atleast_1d(a), axis)
    if values.size == 0:  # ours needs at least one class; the empty sum is 0
        return np.full(np.sum(values, axis=axes, keepdims=keepdims).shape, -np.inf)[()]
    rows, kept = _rows(values, axes)
    sums = ours.log_sum_exp(torch.from_numpy(rows)).numpy().reshape(kept)
    return np.expand_dims(sums, axes)[()] if keepdims else sums[()]


def _elementwise(function: Callable[[torch.Tensor], torch.Tensor], x: Any, axis: Axes) -> Any:
    values = _real(x)
    axes = _axes(values, axis)
    rows, kept = _rows(values, axes)
    order = [i for i in range(values.ndim) if i not in axes] + list(axes)
    result = function(torch.from_numpy(rows)).numpy().reshape(kept + tuple(values.shape[i] for i in axes))
    return np.transpose(result, np.argsort(order)).reshape(np.shape(x))[()]


def _real(x: Any) -> NDArray[np.floating]:
    """As float32 or float64, of at least one axis."""
    values = np.atleast_1d(x)
    if np.iscomplexobj(values):
        pytest.skip("ours are of real numbers")
    return values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float64)


def _axes(values: NDArray[Any], axis: Axes) -> tuple[int, ...]:
    """The axes to sum over, from 0."""
    chosen = range(values.ndim) if axis is None else np.atleast_1d(axis)
    return tuple(int(i) % values.ndim for i in chosen)


def _rows(values: NDArray[np.floating], axes: tuple[int, ...]) -> tuple[NDArray[np.floating], tuple[int, ...]]:
    """The array as rows over `axes`, `[N, C]`, and the original shape of the N rows."""
    others = [i for i in range(values.ndim) if i not in axes]
    kept = tuple(values.shape[i] for i in others)
    moved = np.transpose(values, others + list(axes))
    return np.ascontiguousarray(moved).reshape(int(np.prod(kept, dtype=int)), -1), kept
