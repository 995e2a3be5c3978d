"""An epoch on a GPU as one CUDA graph: recorded once, then replayed without launching thousands of kernels one by one.

A step for ten classes is some thirty small kernels, and Python takes longer to launch them than a GPU to compute them.
A replay reads and writes the memory of the recording. So examples, weights, velocity and sums stay in place, and the
order and the learning rates of each epoch are copied into the recorded memory.

The results equal those of `train_epoch` bit for bit where that gets its rates as tensors too: with numbers a GPU rounds
once less. `make bench-gpu` measures the gain.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from training.fitting.examples import Examples, Minibatch

Steps = Callable[[Iterable[Minibatch], Iterator[Tensor]], None]

_WARM_UP = 3  # steps before the recording: libraries allocate memory at their first call


class RecordedEpochs:
    """Epochs over the same examples, by the same `steps`, on one device.

    `steps` makes an update for each minibatch at its learning rate. It changes only the tensors in `changed`, in place,
    and reads no number from the device.
    """

    def __init__(self, train: Examples, batch_size: int, steps: Steps, changed: Sequence[Tensor]) -> None:
        self._train, self._batch_size, self._steps, self._changed = train, batch_size, steps, changed
        updates = math.ceil(len(train) / batch_size)
        self._order = torch.arange(len(train), device=train.device)
        self._rates = torch.zeros(updates, dtype=train.dtype, device=train.device)
        self._graph: torch.cuda.CUDAGraph | None = None

    def run(self, order: Tensor, rates: Sequence[float]) -> None:
        """One epoch with the examples in this `order`, int64 `[N]`, and a learning rate for each update."""
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
        """The graph of an epoch. Recording computes nothing, and the changes of the warm-up are undone."""
        saved = [tensor.clone() for tensor in self._changed]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._epoch(_WARM_UP)
            for tensor, value in zip(self._changed, saved, strict=True):
                tensor.copy_(value)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._epoch()
        return graph
