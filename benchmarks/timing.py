"""Times a call."""

import time
from collections.abc import Callable


def seconds(run: Callable[[], object]) -> float:
    """Wall seconds."""
    return wall_and_processor(run)[0]


def wall_and_processor(run: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds, and processor seconds, which a busy machine disturbs less."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - processor
