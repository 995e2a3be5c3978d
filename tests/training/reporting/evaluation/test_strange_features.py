"""Strange rows: the properties that they keep and those that they break."""

import numpy as np
import pytest

from service.contract.inputs import Column, FeaturesInput
from training.reporting.evaluation import strange_features

KIND = FeaturesInput(width=3, columns=[Column(name="a"), Column(name="b"), Column(name="c", categories=["x", "y"])])
RNG = np.random.default_rng(0)
ROWS = np.stack([RNG.normal(50, 2, 400), RNG.normal(-1, 9, 400), RNG.integers(0, 2, 400)], axis=1).astype(np.float32)
SETS = strange_features.make(KIND, ROWS)


@pytest.mark.parametrize("name", strange_features.KINDS)
def test_set_is_a_fixed_function_of_rows_and_seed(name: str) -> None:
    np.testing.assert_array_equal(SETS[name], strange_features.make(KIND, ROWS)[name])
    assert SETS[name].dtype == np.float32
    assert SETS[name].shape[1] == 3
    assert set(SETS[name][:, 2].tolist()) <= {0.0, 1.0}  # codes stay codes


def test_what_each_set_keeps() -> None:
    assert (SETS["uniform"][:, 0] >= ROWS[:, 0].min()).all()
    assert (SETS["uniform"][:, 0] <= ROWS[:, 0].max()).all()
    assert SETS["far out"][:, 0].std() == pytest.approx(10 * ROWS[:, 0].std(), rel=0.2)
    np.testing.assert_array_equal(np.sort(SETS["columns shuffled"], axis=0), np.sort(ROWS, axis=0))
    np.testing.assert_array_equal(SETS["in another unit"][:, :2], ROWS[:, :2] * 1000)
    assert SETS["all zero"][:, :2].tolist() == [[0, 0]]


def test_given_rows_are_not_modified() -> None:
    before = ROWS.copy()
    strange_features.make(KIND, ROWS, seed=1)
    np.testing.assert_array_equal(ROWS, before)
