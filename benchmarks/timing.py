"""How long a call takes."""

import time
from collections.abc import Callable


def seconds(run: Callable[[], None]) -> float:
    """By the clock on the wall."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
