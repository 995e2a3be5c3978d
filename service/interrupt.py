"""Ctrl-C, also where Python loses it: an exception within a destructor or a callback is reported and forgotten."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SOON_SECONDS = 0.01  # after Python said that it forgot the exception: out of where it did
AGAIN_SECONDS = 2.0  # where it did not say so: longer than what is cleaned up in between takes


@contextmanager
def interruptible() -> Iterator[None]:
    """Where SIGINT comes KeyboardInterrupt is raised, and again until it gets out of the context, at its end at last.

    For the main thread. Where the system has no timers of this kind nothing is changed.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return
    interrupted = False

    def interrupt(number: int, _: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        if number == signal.SIGINT:
            signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        raise KeyboardInterrupt

    def forgotten(what: "sys.UnraisableHookArgs") -> None:
        if issubclass(what.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, SOON_SECONDS)
        else:
            report(what)

    handlers = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGALRM)}
    report, sys.unraisablehook = sys.unraisablehook, forgotten
    try:
        yield
        if interrupted:
            raise KeyboardInterrupt
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = report
        for number, handler in handlers.items():
            signal.signal(number, handler)
