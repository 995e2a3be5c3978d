"""Ctrl-C is heard, also where Python forgets the exception that it raises."""

import os
import signal

import pytest

from service.scoring.interrupt import interruptible


class _Interrupted:
    """Something whose destructor is where the signal comes."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_signal_that_a_destructor_swallows_is_raised_by_the_next_check() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as check:
        check()
        _Interrupted()  # where an exception has nowhere to go
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is before


def test_signal_raises_at_once_elsewhere() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), signal.SIGINT)
