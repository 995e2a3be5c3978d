"""An epoch on a GPU as one CUDA graph: recorded once, then replayed without a launch for each of thousands of kernels.

A step for ten classes is some thirty small kernels, which a GPU computes in less time than Python takes to launch them.
A recording reads and writes the same memory each time that it is replayed. So examples, weights, velocity and sums stay
where they are, and what an epoch has of its own, its order and its learning rates, is copied to where it is read.

Such epochs are those of `train_epoch`, to the bit where that too is given its rates as tensors: for numbers a GPU
rounds once less. What they gain is measured by `make bench-gpu`.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from training.fitting.examples import Examples, Minibatch

Steps = Callable[[Iterable[Minibatch], Iterator[Tensor]], None]

_WARM_UP = 3  # steps before the recording, for what libraries allocate at their first call


class RecordedEpochs:
    """Epochs over the same examples, by the same `steps`, on one device.

    `steps` updates for each minibatch at the learning rate that comes with it, and in so doing changes no tensor but
    those in `changed`, in place, and reads no number off the device.
    """

    def __init__(self, train: Examples, batch_size: int, steps: Steps, changed: Sequence[Tensor]) -> None:
        self._train, self._batch_size, self._steps, self._changed = train, batch_size, steps, changed
        updates = math.ceil(len(train) / batch_size)
        self._order = torch.arange(len(train), device=train.device)
        self._rates = torch.zeros(updates, dtype=train.dtype, device=train.device)
        self._graph: torch.cuda.CUDAGraph | None = None

    def run(self, order: Tensor, rates: Sequence[float]) -> None:
        """An epoch with the examples in this `order`, int64 `[N]`, and a learning rate for each update."""
        self._order.copy_(order)
        self._rates.copy_(torch.tensor(rates, dtype=self._rates.dtype))
        if self._train.device.type != "cuda":
            self._epoch()
            return
        if self._graph is None:
            self._graph = self._recorded()
        self._graph.replay()

    def _epoch(self, updates: int | None = None) -> None:
        rows = torch.split(self._order, self._batch_size)[:updates]
        self._steps(map(self._train.minibatch, rows), iter(self._rates.unbind()))

    def _recorded(self) -> torch.cuda.CUDAGraph:
        """The graph of an epoch. Recording computes nothing; what the steps before it did is undone."""
        before = [tensor.clone() for tensor in self._changed]
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            self._epoch(_WARM_UP)
            for tensor, kept in zip(self._changed, before, strict=True):
                tensor.copy_(kept)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._epoch()
        return graph
