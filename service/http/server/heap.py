"""The memory of the process, where the C library is glibc; elsewhere nothing is done.

Bodies come in every size, and glibc keeps what they leave: a service would grow with every new mixture of them.
"""

import asyncio
import ctypes
import sys

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE_BYTES = 128 * 1024  # glibc's own, to begin with
GIVE_BACK_SECONDS = 5.0  # between two times, each of half a millisecond


def map_large_blocks() -> None:
    """Have large pieces of memory mapped one by one, each given back to the system when it is free.

    glibc begins so, and stops with the first large body: it takes what was freed once for what will be asked for again,
    and cuts all up to that size from its heaps, one for each thread, where every size leaves its own holes.
    """
    if (glibc := _glibc()) is not None:
        glibc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


async def trim_heap(seconds: float = GIVE_BACK_SECONDS) -> None:
    """Give the holes in the heaps back to the system, every so many seconds, until cancelled."""
    if (glibc := _glibc()) is not None:
        while True:
            await asyncio.sleep(seconds)
            glibc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "malloc_trim") else None
