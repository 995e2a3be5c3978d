"""Ctrl-C is heard, also where Python forgets the exception that it raises."""

import os
import signal

import pytest

from service.interrupt import interruptible


class _Interrupted:
    """Something whose destructor is where the signal comes."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_signal_that_a_destructor_swallows_is_raised_again() -> None:
    before = signal.getsignal(signal.SIGINT)

    def wait() -> None:
        _Interrupted()  # where an exception has nowhere to go
        signal.pause()  # until the timer's own

    with pytest.raises(KeyboardInterrupt), interruptible():
        wait()
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_signal_raises_at_once_elsewhere() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), signal.SIGINT)
