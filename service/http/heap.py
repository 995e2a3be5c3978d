"""The memory of the process, where the C library is glibc."""

import ctypes
import sys
from contextlib import suppress

_M_ARENA_MAX = -8  # malloc.h


def keep_one_heap() -> None:
    """Have all threads take their memory from one heap. To be called before there are threads.

    glibc gives each thread a heap of its own, so that none waits for another, and large bodies leave holes in every
    one of them. Here threads wait for the interpreter anyway. Elsewhere than on glibc nothing is done.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
