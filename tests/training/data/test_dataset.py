"""Parts of the data, a block at a time."""

import numpy as np

from training.data import Labelled


def test_blocks_are_smaller_where_more_is_made_of_each_input() -> None:
    part = Labelled("by hand", np.arange(10_000).reshape(5000, 2), np.zeros(5000, dtype=np.int64))
    assert [len(block) for block in part.blocks()] == [4096, 904]
    blocks = list(part.blocks(20_000))
    assert {len(block) * 20_000 <= 2**23 for block in blocks} == {True}
    np.testing.assert_array_equal(np.concatenate(blocks), part.inputs)
