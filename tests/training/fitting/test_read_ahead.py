"""Advice on rows of a memory map: it changes nothing that is read, and asks for no page outside the map."""

from pathlib import Path

import numpy as np
import pytest

from training.fitting.streaming import will_need


@pytest.mark.parametrize("row", [0, 1, 4998, 4999])
def test_any_row_of_the_map_can_be_asked_for(tmp_path: Path, row: int) -> None:
    rows = np.random.default_rng(0).normal(size=(5000, 7))
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    will_need(mapped, row, row)
    will_need(mapped, row, 4999)
    will_need(mapped[row:], 0, 4999 - row)
    np.testing.assert_array_equal(mapped, rows)


def test_rows_in_memory_need_no_advice() -> None:
    rows = np.zeros((10, 2))
    will_need(rows, 0, 9)
    assert not rows.any()
