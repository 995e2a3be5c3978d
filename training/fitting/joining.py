"""Joins the processes that torchrun has started, on this machine and on others."""

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

# Processes wait for one another: at the start for the slowest reader, at the end for the one that certifies. A process
# that dies is noticed at once, by its connections. So this limit is only for one that hangs.
_TIMEOUT = timedelta(hours=12)


class Store(Protocol):
    """The methods of torch's key-value stores that are used here."""

    def set(self, key: str, value: str, /) -> None: ...

    def get(self, key: str, /) -> bytes: ...

    def queue_push(self, key: str, value: str, /) -> None: ...

    def queue_pop(self, key: str, /) -> bytes: ...


@contextmanager
def joined(device: str) -> Iterator[Workers]:
    """The processes that torchrun started, joined for the life of the context; one worker where it started none.

    `device` is "auto", "cpu" or "cuda". Messages go by gloo on the CPU, and by NCCL between CUDA devices, one for each
    process. Raises WorkersError where torchrun's variables are unusable or another process cannot be reached.
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
        store, _, _ = next(rendezvous("env://", rank, size, timeout=_TIMEOUT))
        fresh = dist.PrefixStore(start_token(store, rank, size), store)  # type: ignore[attr-defined]
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        dist.init_process_group(backend, store=fresh, rank=rank, world_size=size, timeout=_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise WorkersError(f"process {rank} of {size} cannot join the others: {reason(error)}") from None
    try:
        assert dist.group.WORLD is not None  # init_process_group has made it
        yield Workers(rank, size, local_rank, dist.group.WORLD)
    finally:
        dist.destroy_process_group()


def start_token(store: Store, rank: int, size: int) -> str:
    """A token that the processes of one start share, and that no earlier start had.

    torchrun keeps its store over restarts, with the addresses of dead processes in it (pytorch/pytorch issue 167288),
    and machines can number the restarts differently. So each of the other processes asks the first one with a token of
    its own. Questions that dead processes left in the queue get an answer too, which nobody reads.
    """
    token = uuid.uuid4().hex
    if rank:
        store.queue_push("start", f"asks {token}")
        shared: str = store.get(f"answer to {token}").decode()
        store.queue_push("start", f"confirms {shared}")
        return shared
    confirmed = 0
    while confirmed < size - 1:
        verb, other = store.queue_pop("start").decode().split()
        if verb == "asks":
            store.set(f"answer to {other}", token)
        elif other == token:
            confirmed += 1
    return token


def _variable(name: str) -> int:
    try:
        return int(os.environ[name])
    except (KeyError, ValueError):
        given = os.environ.get(name, "")
        raise TrainingError(
            f"{name}={given!r}: torchrun sets it to a whole number; start the processes with torchrun"
        ) from None
