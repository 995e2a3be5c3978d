"""Many picture files at once, on all processors."""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.pictures import Frame, UnfitError, UnreadableError, decode

_AT_ONCE = 128  # files that a worker decodes in one go
_WORTH_PROCESSES = 4_000  # files; for fewer, starting processes takes longer than they save


@dataclass(slots=True)
class Decoded:
    """The pictures `[N, H, W]` or `[N, H, W, 3]`, and which could not be had, by their number and with the reason."""

    images: NDArray[np.uint8]
    unreadable: dict[int, str] = field(default_factory=dict)
    unfit: dict[int, str] = field(default_factory=dict)


def decode_all(paths: Sequence[Path], frame: Frame) -> Decoded:
    """Decode every file; one that cannot be is black."""
    shape = (frame.height, frame.width, 3) if frame.colour else (frame.height, frame.width)
    decoded = Decoded(np.zeros((len(paths), *shape), dtype=np.uint8))
    starts = range(0, len(paths), _AT_ONCE)
    with _executor(len(paths)) as executor:
        batches = executor.map(partial(_decode_batch, frame=frame), (paths[s : s + _AT_ONCE] for s in starts))
        for start, (images, unreadable, unfit) in zip(starts, batches, strict=True):
            decoded.images[start : start + _AT_ONCE] = images
            decoded.unreadable |= {start + i: reason for i, reason in unreadable.items()}
            decoded.unfit |= {start + i: reason for i, reason in unfit.items()}
    return decoded


def _executor(files: int) -> Executor:
    """Threads for few files, processes for many.

    Pillow lets others run while it decodes, but around that it is Python, and for small pictures that is most of it.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if files < _WORTH_PROCESSES or workers == 1:
        return ThreadPoolExecutor(workers)
    # Not forked: the libraries' threads of this process would be missing in the copy, their locks perhaps held.
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def _decode_batch(paths: Sequence[Path], frame: Frame) -> tuple[NDArray[np.uint8], dict[int, str], dict[int, str]]:
    shape = (frame.height, frame.width, 3) if frame.colour else (frame.height, frame.width)
    images = np.zeros((len(paths), *shape), dtype=np.uint8)
    unreadable: dict[int, str] = {}
    unfit: dict[int, str] = {}
    for i, path in enumerate(paths):
        try:
            images[i] = decode(path, frame)
        except UnreadableError as error:
            unreadable[i] = str(error)
        except UnfitError as error:
            unfit[i] = str(error)
    return images, unreadable, unfit
