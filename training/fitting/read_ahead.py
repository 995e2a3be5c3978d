"""Asks the system for rows of a memory map before they are needed, so that the fit does not wait for the disk."""

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WILL_NEED = getattr(mmap, "MADV_WILLNEED", None)  # None where the platform has no such advice


def will_need(base: NDArray[Any], first: int, last: int) -> None:
    """Have the rows `first` to `last` of `base` read in the background; nothing where it is no memory map."""
    mapped = getattr(base, "_mmap", None)
    if mapped is None or _WILL_NEED is None:
        return
    row_bytes = base.strides[0]
    start = base.ctypes.data - np.frombuffer(mapped, dtype=np.uint8).ctypes.data + first * row_bytes
    page = start - start % mmap.PAGESIZE  # advice begins on a page
    mapped.madvise(_WILL_NEED, page, start - page + (last - first + 1) * row_bytes)
