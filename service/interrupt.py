"""Ctrl-C, also where Python loses it: an exception within a destructor or a callback is reported and forgotten."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN_SECONDS = 2.0  # longer than what is cleaned up in between takes


@contextmanager
def interruptible() -> Iterator[None]:
    """Where SIGINT comes KeyboardInterrupt is raised, and once more if it has not got out of the context by then.

    For the main thread. Where the system has no timers of this kind nothing is changed.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return

    def interrupt(number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGALRM)}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
