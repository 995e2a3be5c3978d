"""The memory and time of a training step, for each way to compute the loss, each in a separate process.

A step is the loss and its gradients in features, weights and biases. Memory is the growth of the process's peak in the
step, above the arguments. It includes the gradients, which every way must return.
"""

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from exercises.sampled_softmax import log_uniform, sampled_softmax
from training.errors import TrainingError
from training.fitting.linear_cross_entropy import linear_cross_entropy

WIDTH = 128  # D, that of the model
SAMPLES = 1024
SLOW = 2.0  # seconds of a step that is measured once
LIMIT = 150.0  # seconds after which a step is aborted
_MANY = 0.3  # seconds; a faster step is repeated for this long


class Arguments(NamedTuple):
    """The arguments of a step; all except the labels have `requires_grad`."""

    features: Tensor  # [N, D]
    weights: Tensor  # [V, D], as torch's layers have them
    biases: Tensor  # [V]
    labels: Tensor  # [N]


class Cost(NamedTuple):
    """The cost of one step."""

    memory: int  # bytes
    seconds: float


def materialised(a: Arguments) -> Tensor:
    """The textbook implementation."""
    return functional.cross_entropy(functional.linear(a.features, a.weights, a.biases), a.labels)


def chunked(a: Arguments) -> Tensor:
    """Our implementation."""
    return linear_cross_entropy(a.features, a.weights.T, a.biases, a.labels)


def native(a: Arguments) -> Tensor:
    """Torch's own implementation, a few rows at a time."""
    options = nn.LinearCrossEntropyOptions()
    return functional.linear_cross_entropy(a.features, a.weights, a.labels, linear_bias=a.biases, options=options)


def sampled(a: Arguments) -> Tensor:
    """Sampled softmax with classes drawn by Zipf's law."""
    generator = torch.Generator().manual_seed(0)
    return sampled_softmax(a.features, a.weights.T, a.biases, a.labels, log_uniform(len(a.biases)), SAMPLES, generator)


def cutoffs(classes: int) -> list[int]:
    """The cut-offs of adaptive softmax for classes sorted by frequency (Grave et al. 2017).

    >>> cutoffs(200_000)
    [10000, 50000]
    """
    return [classes // 20, classes // 4]


WAYS: dict[str, Callable[[Arguments], Tensor]] = {
    "materialised": materialised,
    "chunked": chunked,
    "native": native,
    "sampled": sampled,
}
ALL_WAYS = (*WAYS, "adaptive")


def cost(way: str, classes: int, examples: int) -> Cost:
    """The cost of one step in this process, which should do nothing else before."""
    step, _ = _prepared(way, 1000, 8)
    step()  # allocates the memory that the libraries keep
    step, leaves = _prepared(way, classes, examples)
    before, start = _peak(), time.perf_counter()
    step()
    times, memory = [time.perf_counter() - start], _peak() - before
    while sum(times) < _MANY:
        for leaf in leaves:
            leaf.grad = None
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return Cost(memory, min(times))


def _prepared(way: str, classes: int, examples: int) -> tuple[Callable[[], None], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(examples, WIDTH, generator=generator)
    labels = torch.multinomial(log_uniform(classes), examples, replacement=True, generator=generator)
    if way == "adaptive":
        head = nn.AdaptiveLogSoftmaxWithLoss(WIDTH, classes, cutoffs(classes))
        features.requires_grad_()
        return lambda: head(features, labels).loss.backward(), [features, *head.parameters()]
    arguments = Arguments(features, torch.empty(classes, WIDTH).normal_(0, 0.1), torch.zeros(classes), labels)
    leaves = [tensor.requires_grad_() for tensor in arguments[:3]]
    return lambda: WAYS[way](arguments).backward(), leaves  # type: ignore[no-untyped-call]


def _peak() -> int:
    """The peak memory of this process in bytes. Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def costs(
    vocabularies: tuple[int, ...], batches: tuple[int, ...], rounds: int
) -> dict[str, dict[str, dict[str, Cost | None]]]:
    """The cost of each way, by V and then N (strings, as in JSON): the minimum time of alternating rounds.

    None if a step takes longer than `LIMIT`; larger problems are not tried then.
    """
    grid: dict[str, dict[str, dict[str, Cost | None]]] = {}
    too_slow: set[tuple[str, int]] = set()  # a way and N
    for classes in vocabularies:
        for examples in batches:
            cell: dict[str, Cost | None] = {}
            for way in ALL_WAYS * rounds:
                old = cell.get(way)
                if old is not None and old.seconds > SLOW:
                    continue
                if any((way, n) in too_slow for n in batches if n <= examples):
                    cell[way] = None
                    continue
                new = _alone(way, classes, examples)
                if new is None:
                    too_slow.add((way, examples))
                elif old is not None:
                    new = Cost(max(old.memory, new.memory), min(old.seconds, new.seconds))
                cell[way] = new
            grid.setdefault(str(classes), {})[str(examples)] = cell
    return grid


def _alone(way: str, classes: int, examples: int) -> Cost | None:
    """The cost in a new process that has loaded torch and computed nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, way, classes, examples))
    process.start()
    sender.close()
    try:
        return Cost(*receiver.recv()) if receiver.poll(LIMIT) else None
    except EOFError as error:
        raise TrainingError(f"a step of {way} with {classes} classes and {examples} examples was killed") from error
    finally:
        process.kill()
        process.join()


def _send(sender: Connection, way: str, classes: int, examples: int) -> None:
    sender.send(tuple(cost(way, classes, examples)))
