"""Ctrl-C, also where Python loses it: an exception that a destructor raises is reported and forgotten."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Yields a function, to be called now and then, that raises KeyboardInterrupt where SIGINT has come.

    The signal raises it at once, too. For the main thread.
    """
    came = False

    def note(_: int, __: FrameType | None) -> None:
        nonlocal came
        came = True
        raise KeyboardInterrupt

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
