"""The processes that share a fit, the messages between them, and the device of each.

torchrun starts them, and restarts them when one dies. Each reads the data itself. All hold the same weights, bit for
bit, at every step; only the examples of a minibatch that they work on differ.
"""

import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from training.errors import TrainingError, WorkersError

Device = Literal["auto", "cpu", "cuda"]

_Made = TypeVar("_Made")


class Group(Protocol):
    """The methods of torch's process groups that are used here."""

    def allreduce(self, tensors: list[Tensor], /) -> Any: ...

    def broadcast(self, tensor: Tensor, root: int, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes of a fit, as one of them sees them. Without a group it is alone and sends nothing."""

    rank: int = 0  # of this process, from 0
    size: int = 1
    local_rank: int = 0  # among the processes of this machine: the number of its CUDA device
    group: Group | None = None

    @property
    def leads(self) -> bool:
        """Whether this is the process that prints, certifies and publishes."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This process's contiguous share of `count` examples; the shares differ by one example at most.

        >>> [Workers(rank, 3).share(7) for rank in range(3)]
        [slice(0, 2, None), slice(2, 4, None), slice(4, 7, None)]
        """
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def sum(self, *tensors: Tensor) -> None:
        """Replace each tensor, in place, by its sum over all processes: the same bits in each of them.

        The tensors have one dtype and one device, and go as one message. Raises WorkersError when a process is lost.
        """
        if self.group is None:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._connected():
            self.group.allreduce([flat]).wait()
        for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):  # type: ignore[no-untyped-call]
            tensor.copy_(total.view_as(tensor))

    def broadcast(self, make: Callable[[], _Made]) -> _Made:
        """The result of `make` in the first process, for all processes; the others do not call it."""
        if self.group is None:
            return make()
        made = pickle.dumps(make()) if self.leads else b""
        size = torch.tensor([len(made)])
        with self._connected():
            self.group.broadcast(size, 0).wait()
            message = torch.zeros(int(size), dtype=torch.uint8)
            if self.leads:
                message.copy_(torch.frombuffer(bytearray(made), dtype=torch.uint8))
            self.group.broadcast(message, 0).wait()
        # Unpickling is safe: the sender is the first process of the same fit, which runs the same code.
        value: _Made = pickle.loads(message.numpy().tobytes())
        return value

    def require_same(self, facts: Mapping[str, object]) -> None:
        """Raise WorkersError where `facts` differ from those of the first process, naming the first difference."""
        for name, first in self.broadcast(lambda: dict(facts)).items():
            if facts[name] != first:
                raise WorkersError(
                    f"process {self.rank} of {self.size} has {name} {facts[name]}, and process 0 has {first}: "
                    "all need the same data and the same options"
                )

    def wait(self) -> None:
        """Return when all processes have called this. Raises WorkersError when one is lost."""
        self.sum(torch.zeros(1))

    @contextmanager
    def _connected(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise WorkersError(
                f"process {self.rank} of {self.size} lost the connection to the others: {reason(error)}"
            ) from None


ALONE = Workers()


def find_device(requested: Device, workers: Workers = ALONE) -> torch.device:
    """The device on which this process fits. Raises TrainingError where there is no such device."""
    if requested == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device cuda: torch finds no CUDA device on this machine")
    if requested != "cpu" and torch.cuda.is_available():
        return torch.device("cuda", workers.local_rank)
    return torch.device("cpu")


def reason(error: Exception) -> str:
    """Torch's message without its source location and its advice.

    >>> reason(RuntimeError("[/src/tcp/pair.cc:537] Read error [::1]:24742: Connection reset by peer. This is"))
    'Read error [::1]:24742: Connection reset by peer'
    """
    return re.sub(r"^\[[^]]*\] ", "", str(error).strip().partition("\n")[0]).partition(". ")[0]
