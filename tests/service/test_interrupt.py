"""Ctrl-C is heard, also where Python forgets the exception that it raises."""

import os
import signal
import sys
import time
from contextlib import suppress

import pytest

from service.interrupt import AGAIN_SECONDS, interruptible


class _Interrupted:
    """Something whose destructor is where the signal comes."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def _set_back(before: object) -> bool:
    return signal.getsignal(signal.SIGINT) is before and signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_signal_that_a_destructor_swallows_is_raised_again_soon() -> None:
    before, start = signal.getsignal(signal.SIGINT), time.monotonic()

    def wait() -> None:
        _Interrupted()  # where an exception has nowhere to go
        signal.pause()  # until the timer's own

    with pytest.raises(KeyboardInterrupt), interruptible():
        wait()
    assert time.monotonic() - start < AGAIN_SECONDS
    assert _set_back(before)


def test_signal_that_is_swallowed_without_a_word_is_raised_again() -> None:
    before = signal.getsignal(signal.SIGINT)

    def wait() -> None:
        with suppress(KeyboardInterrupt):  # as a callback of a library in C may
            os.kill(os.getpid(), signal.SIGINT)
        signal.pause()

    with pytest.raises(KeyboardInterrupt), interruptible():
        wait()
    assert _set_back(before)


def test_signal_that_is_swallowed_is_raised_at_the_end_if_not_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interruptible():
        _Interrupted()
    assert _set_back(before)


def test_what_else_a_destructor_raises_is_reported_as_before() -> None:
    reported: list[BaseException | None] = []

    class Broken:
        def __del__(self) -> None:
            raise RuntimeError("broken")

    before, sys.unraisablehook = sys.unraisablehook, lambda what: reported.append(what.exc_value)
    try:
        with interruptible():
            Broken()
        Broken()
    finally:
        sys.unraisablehook = before
    assert [str(error) for error in reported] == ["broken", "broken"]


def test_signal_raises_at_once_elsewhere() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), signal.SIGINT)
