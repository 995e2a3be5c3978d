"""How many threads torch uses: one for each available core, and fewer for products too small to be divided so often.

The number follows from the sizes and the cores alone, never from a trial or from the load: some products round
differently on another number of threads, and the same training must give the same bytes. On busy cores several threads
do no harm as long as they sleep while they wait, as `training.__main__` tells them to.

OMP_NUM_THREADS, where the user or torchrun has set it, is the number for everything.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from service.contract.cores import available_cores
from training.fitting.lift import QuadraticLift

_USERS = "OMP_NUM_THREADS"
_SHARE = 2**21  # multiplications: to wake a thread for fewer takes longer than it saves


def use_available_cores() -> None:
    """Give torch a thread for each core that this process may use; torch itself knows nothing of CPU quotas."""
    if _USERS not in os.environ:
        torch.set_num_threads(available_cores())


@contextmanager
def for_product(examples: int, width: int, classes: int, lift: QuadraticLift | None = None) -> Iterator[None]:
    """Within it, torch uses a thread for each 2 million multiplications of a product `[B, D] @ [D, C]`.

    With a `lift` of K coordinates, K^2 products are features too. At least one, and at most as many as before, which
    it has again afterwards.
    """
    before = torch.get_num_threads()
    width += 0 if lift is None else lift.components**2
    if _USERS not in os.environ:
        torch.set_num_threads(max(1, min(before, examples * width * classes // _SHARE)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
