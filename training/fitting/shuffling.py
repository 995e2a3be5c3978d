"""An order for examples that lie in a file: random, and yet read some neighbouring chunks at a time.

The examples are cut into chunks in the order of the file. An epoch takes the chunks in an order of its own, some at
once, and shuffles the examples among those: a minibatch holds examples of several places of the file, other ones each
epoch. Nothing here reads an example. What comes out depends on the generator, N and the minibatch's size alone.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

CHUNK = 2048  # examples that are neighbours in the file
_CHUNKS_AT_ONCE = 16


def groups(count: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The places 0 to `count` - 1, int64 `[G]` at a time and rising within a group; each place is in one group."""
    starts = torch.randperm(-(-count // CHUNK), generator=generator) * CHUNK
    for chunks in torch.split(starts, _CHUNKS_AT_ONCE):
        yield torch.cat([torch.arange(start, min(start + CHUNK, count)) for start in chunks.sort().values.tolist()])


def minibatches(drawn: Iterable[Tensor], size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The places of each minibatch, int64 `[size]` and rising; the last may be smaller.

    `drawn` are `groups`. What of one does not fill a minibatch goes into the first of the next. The order within a
    minibatch changes nothing in its gradient, and rising is how the file is read fastest.

    >>> generator = torch.Generator().manual_seed(0)
    >>> [batch.tolist() for batch in minibatches(groups(5, generator), 2, generator)]
    [[0, 4], [1, 3], [2]]
    """
    left = torch.empty(0, dtype=torch.int64)
    for group in drawn:
        order = torch.randperm(len(group), generator=generator)
        *full, left = torch.split(torch.cat([left, group[order]]), size)
        if len(left) == size:
            full, left = [*full, left], left[:0]
        yield from (batch.sort().values for batch in full)
    if len(left):
        yield left.sort().values
