"""Several workers as threads of one process, with a real gloo group over loopback."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar, cast

import torch.distributed as dist

from training.fitting.workers import Group, Workers

_Result = TypeVar("_Result")


def together(run: Callable[[Workers], _Result], size: int = 2) -> list[_Result]:
    """Call `run` in `size` workers at once. Returns the results in the order of ranks."""
    store = dist.HashStore()  # type: ignore[attr-defined]

    def one(rank: int) -> _Result:
        group = dist.ProcessGroupGloo(store, rank, size, timedelta(seconds=30))
        return run(Workers(rank, size, rank, cast(Group, group)))

    with ThreadPoolExecutor(size) as threads:
        return list(threads.map(one, range(size)))
