"""Reading, scoring and writing side by side: threads read and score batches while the caller writes the last.

pyarrow, numpy and onnxruntime let go of the interpreter's lock while they work, so threads are enough.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def in_order(work: Callable[[_In], _Out], items: Iterable[_In], threads: int) -> Iterator[_Out]:
    """`work` of each of the items, in their order, on so many threads; at most three items a thread are in memory.

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
            for left in waiting:
                left.cancel()


def ahead(items: Iterable[_In], count: int) -> Iterator[_In]:
    """The items, made by a thread of their own, so many of them before they are asked for.

    >>> list(ahead(range(5), 2))
    [0, 1, 2, 3, 4]
    """
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1, "read") as reader:
        waiting = deque(reader.submit(next, iterator, end) for _ in range(count))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(reader.submit(next, iterator, end))
            yield item  # type: ignore[misc]  # mypy does not narrow by `is not`
