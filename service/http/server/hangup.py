"""SIGHUP: look at the models' files at once.

It is also what the system sends when a terminal is closed. Whoever started the service there would not look for it any
more: so it stops then, as it would without us; but not under `nohup`.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

RELOADER = "reloader"  # the name of a Reloader in the lifespan's state
HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # there is none on Windows


class Hangup:
    """What SIGHUP does in this process. Until `watch` it is noted, so that none ends a service that starts.

    To be made in the main thread.
    """

    def __init__(self) -> None:
        self._came = False
        self._terminal = False
        if HANGUP is not None:
            self._terminal = signal.getsignal(HANGUP) != signal.SIG_IGN and _has_terminal()
            signal.signal(HANGUP, self._note)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {HANGUP})  # where it was held

    def watch(self, reload: Callable[[], None], stop: Callable[[], None]) -> None:
        """From now on call `reload` with the signal, or `stop` where the terminal is gone. In the main thread."""
        if HANGUP is None:
            return

        def handle(_: int, __: FrameType | None) -> None:
            if self._terminal and not _has_terminal():
                stop()
            else:
                reload()

        signal.signal(HANGUP, handle)
        if self._came:
            handle(HANGUP, None)

    def _note(self, _: int, __: FrameType | None) -> None:
        self._came = True


@contextmanager
def held() -> Iterator[None]:
    """Let the signal wait, for this thread and for a process that it starts meanwhile, until that makes a `Hangup`."""
    if HANGUP is None:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {HANGUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _has_terminal() -> bool:
    """Whether there is one that could be closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
