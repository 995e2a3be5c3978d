"""Labelled examples: blocks, groups and fingerprints."""

from pathlib import Path

import numpy as np
import pytest

from training.data.dataset import Labelled


def test_blocks_are_smaller_for_wider_features() -> None:
    part = Labelled("by hand", np.arange(10_000).reshape(5000, 2), np.zeros(5000, dtype=np.int64))
    assert [len(block) for block in part.blocks()] == [4096, 904]
    blocks = list(part.blocks(20_000))
    assert {len(block) * 20_000 <= 2**23 for block in blocks} == {True}
    np.testing.assert_array_equal(np.concatenate(blocks), part.inputs)


@pytest.mark.parametrize("mapped", [False, True])
def test_groups_go_with_their_examples_and_change_no_fingerprint(tmp_path: Path, mapped: bool) -> None:
    np.save(tmp_path / "x.npy", np.arange(12, dtype=np.float32).reshape(6, 2))
    rows, labels = np.load(tmp_path / "x.npy", mmap_mode="r" if mapped else None), np.arange(6)
    bare, grouped = Labelled("by hand", rows, labels), Labelled("by hand", rows, labels, groups=labels // 2)
    part = grouped.take(np.array([5, 0, 3, 1])).take(np.array([0, 1, 3]))
    assert part.labels.tolist() == [5, 0, 1]
    assert part.groups is not None
    assert part.groups.tolist() == [2, 0, 0]
    assert bare.take(np.array([5, 0])).groups is None
    assert grouped.fingerprint() == bare.fingerprint()
