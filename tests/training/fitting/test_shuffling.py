"""The places of the minibatches: each once, a matter of the seed alone, near one another and yet mixed."""

import pytest
import torch

from training.fitting.shuffling import CHUNK, groups, minibatches


def _drawn(count: int, size: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return list(minibatches(groups(count, generator), size, generator))


@pytest.mark.parametrize("count", [1, CHUNK - 1, CHUNK, 16 * CHUNK, 40 * CHUNK + 17])
@pytest.mark.parametrize("size", [1000, 1024, 20 * CHUNK])
def test_each_place_once_in_minibatches_that_rise(count: int, size: int) -> None:
    found = _drawn(count, size)
    assert [len(batch) for batch in found] == [size] * (count // size) + ([count % size] if count % size else [])
    assert torch.equal(torch.cat(found).sort().values, torch.arange(count))
    assert all((batch.diff() > 0).all() for batch in found)


def test_places_are_a_matter_of_the_seed() -> None:
    first, again, other = (_drawn(10_000, 100, seed) for seed in (1, 1, 2))
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, other))


def test_minibatch_is_a_draw_from_its_group() -> None:
    """Of 16 chunks in one group each gives a minibatch about as many: 64 of 1,024, and hardly 30 more or fewer."""
    for batch in _drawn(16 * CHUNK, 1024):
        counts = torch.bincount(batch // CHUNK, minlength=16)
        assert int((counts - 64).abs().max()) < 45
