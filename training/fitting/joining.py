"""How a process finds the others that torchrun has started with it, on this machine and on others."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from training.errors import TrainingError, WorkersError
from training.fitting.workers import ALONE, Workers, reason

# One process waits for another: at the start for who reads slowly, at the end for who certifies. One that dies is
# noticed at once, by its connections, so this is only for one that hangs.
_PATIENCE = timedelta(hours=12)


class Store(Protocol):
    """What of torch's stores of keys and values is used here."""

    def set(self, key: str, value: str, /) -> None: ...

    def get(self, key: str, /) -> bytes: ...

    def queue_push(self, key: str, value: str, /) -> None: ...

    def queue_pop(self, key: str, /) -> bytes: ...


@contextmanager
def joined(device: str) -> Iterator[Workers]:
    """The processes that torchrun started, joined for as long as the context lasts; alone where it started none.

    `device` is "auto", "cpu" or "cuda". On the CPU gloo carries the messages; between CUDA devices, one a process,
    NCCL does. Raises WorkersError where torchrun's variables are unusable or the others are not to be reached.
    """
    if "WORLD_SIZE" not in os.environ:
        yield ALONE
        return
    rank, size, local_rank = (_variable(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    if not 0 <= rank < size:
        raise WorkersError(f"RANK={rank} must be from 0 to under WORLD_SIZE={size}")
    cuda = device != "cpu" and torch.cuda.is_available()
    if cuda and local_rank >= torch.cuda.device_count():
        raise WorkersError(f"LOCAL_RANK={local_rank}: this machine has {torch.cuda.device_count()} CUDA devices")
    if size == 1:
        yield ALONE
        return
    if cuda:
        torch.cuda.set_device(local_rank)
    try:
        store, _, _ = next(rendezvous("env://", rank, size, timeout=_PATIENCE))
        fresh = dist.PrefixStore(name_of_start(store, rank, size), store)  # type: ignore[attr-defined]
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        dist.init_process_group(backend, store=fresh, rank=rank, world_size=size, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise WorkersError(f"process {rank} of {size} cannot join the others: {reason(error)}") from None
    try:
        assert dist.group.WORLD is not None  # init_process_group has made it
        yield Workers(rank, size, local_rank, dist.group.WORLD)
    finally:
        dist.destroy_process_group()


def name_of_start(store: Store, rank: int, size: int) -> str:
    """A name that the processes started together agree on, and that none had who were started before them.

    torchrun keeps its store over restarts, with the addresses of the dead in it (pytorch/pytorch issue 167288), and
    which of its restarts this is not all machines number alike. So each of the others asks the first with a token of
    its own; what the dead have left in the queue gets an answer too, which nobody reads.
    """
    token = uuid.uuid4().hex
    if rank:
        store.queue_push("start", f"asks {token}")
        name: str = store.get(f"answer to {token}").decode()
        store.queue_push("start", f"heard {name}")
        return name
    heard = 0
    while heard < size - 1:
        verb, said = store.queue_pop("start").decode().split()
        if verb == "asks":
            store.set(f"answer to {said}", token)
        elif said == token:
            heard += 1
    return token


def _variable(name: str) -> int:
    try:
        return int(os.environ[name])
    except (KeyError, ValueError):
        given = os.environ.get(name, "")
        raise TrainingError(
            f"{name}={given!r}: torchrun sets it to a whole number; start the processes by it"
        ) from None
