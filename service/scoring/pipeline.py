"""Reads, scores and writes in parallel: threads read and score batches while the caller writes.

Threads are enough, since pyarrow, numpy and onnxruntime release the interpreter lock.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def in_order(work: Callable[[_In], _Out], items: Iterable[_In], threads: int) -> Iterator[_Out]:
    """The results of `work` for the items, in order; at most three items for each thread are in memory.

    >>> list(in_order(lambda x: x * x, range(5), 2))
    [0, 1, 4, 9, 16]
    """
    waiting: deque[Future[_Out]] = deque()
    with ThreadPoolExecutor(threads, "score") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 3 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def ahead(items: Iterable[_In], count: int) -> Iterator[_In]:
    """The items, made in a thread of its own, up to `count` in advance.

    >>> list(ahead(range(5), 2))
    [0, 1, 2, 3, 4]
    """
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1, "read") as reader:
        waiting = deque(reader.submit(next, iterator, end) for _ in range(count))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(reader.submit(next, iterator, end))
            yield item  # type: ignore[misc]  # mypy does not narrow by `is not`
