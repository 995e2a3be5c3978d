"""The memory of the process, where the C library is glibc."""

import ctypes
import sys
from contextlib import suppress

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE_BYTES = 128 * 1024  # glibc's own, to begin with


def give_back_what_is_large() -> None:
    """Have large pieces of memory mapped one by one, each given back to the system when it is free.

    glibc begins so, and stops with the first large body: it takes what was freed once for what will be asked for again,
    and cuts all up to that size from its heaps, one for each thread, where every size leaves its own holes. Elsewhere
    than on glibc nothing is done.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
