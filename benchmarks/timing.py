"""How long a call takes."""

import time
from collections.abc import Callable


def seconds(run: Callable[[], object]) -> float:
    """By the clock on the wall."""
    return wall_and_processor(run)[0]


def wall_and_processor(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock on the wall, and of the processor, which a busy machine disturbs less."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - processor
