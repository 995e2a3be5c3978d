"""Keeps the memory of the process small, with glibc; with other C libraries this does nothing.

Bodies come in every size, and glibc keeps the memory that they used: the service would grow with every new mix of them.
"""

import asyncio
import ctypes
import sys

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE_BYTES = 128 * 1024  # glibc's initial threshold
TRIM_SECONDS = 5.0  # between two trims of half a millisecond each


def map_large_blocks() -> None:
    """Have each large block mapped on its own, so that it is returned to the system when it is freed.

    glibc begins so, but raises the threshold with the first large body, in the hope of reusing its block. From then on
    it cuts blocks up to that size from its heaps, one per thread, where every size leaves holes of its own.
    """
    if (glibc := _glibc()) is not None:
        glibc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


async def trim_heap(seconds: float = TRIM_SECONDS) -> None:
    """Return the holes in the heaps to the system, every `seconds`, until cancelled."""
    if (glibc := _glibc()) is not None:
        while True:
            await asyncio.sleep(seconds)
            glibc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "malloc_trim") else None
