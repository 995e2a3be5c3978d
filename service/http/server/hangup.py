"""SIGHUP: look at the models' files at once, as other servers do."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

RELOADER = "reloader"  # where the lifespan's state holds the Reloader
HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none


class Hangup:
    """What SIGHUP does in this process. Until `watch` it is only remembered, so that none ends a service that starts.

    To be made in the main thread.
    """

    def __init__(self) -> None:
        self._received = False
        if HANGUP is not None:
            signal.signal(HANGUP, self._remember)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {HANGUP})  # `held` may have blocked it

    def watch(self, reload: Callable[[], None]) -> None:
        """From now on call `reload` at each signal, and at once if one was received. In the main thread."""
        if HANGUP is None:
            return
        signal.signal(HANGUP, lambda *_: reload())
        if self._received:
            reload()

    def _remember(self, _: int, __: FrameType | None) -> None:
        self._received = True


@contextmanager
def held() -> Iterator[None]:
    """Block the signal in this thread, and in a process started meanwhile until that makes a `Hangup`."""
    if HANGUP is None:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {HANGUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
