"""Decodes many picture files in parallel, on all available cores."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.contract.cores import available_cores
from training.data.sources.picture_file import Frame, Source, UnfitError, UnreadableError, decode
from training.errors import DataError

_BATCH = 128  # files that a worker decodes at a time
_OWN_BATCH = 32  # files that this process decodes before it serves the workers again
_MIN_FOR_PROCESSES = 4_000  # files; for fewer, starting processes takes longer than they save


@dataclass(slots=True)
class Decoded:
    """The pictures `[N, H, W]` or `[N, H, W, 3]`, and the reason for each file, by its number, that gave none."""

    images: NDArray[np.uint8]
    unreadable: dict[int, str] = field(default_factory=dict)
    unfit: dict[int, str] = field(default_factory=dict)

    def put(self, start: int, batch: "Decoded") -> None:
        """Store the result of the files from number `start` on."""
        self.images[start : start + len(batch.images)] = batch.images
        self.unreadable |= {start + i: reason for i, reason in batch.unreadable.items()}
        self.unfit |= {start + i: reason for i, reason in batch.unfit.items()}


def decode_all(pictures: Sequence[Source], frame: Frame) -> Decoded:
    """Decode every picture; one that cannot be decoded is black.

    Raises DataError if a worker process was killed, or if memory does not suffice.

    Pillow releases the interpreter lock while it decodes, but for small pictures most of the time is Python around it.
    So many files are decoded by processes, this one among them.
    """
    workers = available_cores()
    if len(pictures) < _MIN_FOR_PROCESSES or workers == 1:
        return _decode(pictures, frame, ThreadPoolExecutor(workers), 2 * workers, helps=False)
    # Not forked: the copy would lack the threads of this process's libraries, and might hold their locks.
    spawn = multiprocessing.get_context("spawn")
    processes = ProcessPoolExecutor(workers - 1, mp_context=spawn, initializer=_follow_parent)
    return _decode(pictures, frame, processes, 2 * workers, helps=True)


def _decode(pictures: Sequence[Source], frame: Frame, executor: Executor, ahead: int, *, helps: bool) -> Decoded:
    """Workers take them from the front, `ahead` batches at a time; if it `helps`, this thread takes the last ones."""
    begun: deque[tuple[int, Future[Decoded]]] = deque()
    first, end = 0, len(pictures)  # of those not yet taken
    try:
        decoded = Decoded(_black(len(pictures), frame))
    except (MemoryError, ValueError):  # ValueError: more than any machine has
        raise _too_little_memory(len(pictures), frame) from None
    try:
        while begun or first < end:
            while first < end and len(begun) < ahead:
                part = pictures[first : min(first + _BATCH, end)]
                begun.append((first, executor.submit(_decode_batch, part, frame)))
                first += len(part)
            if helps and first < end and not begun[0][1].done():
                start = max(first, end - _OWN_BATCH)
                decoded.put(start, _decode_batch(pictures[start:end], frame))
                end = start
            else:
                start, batch = begun.popleft()
                decoded.put(start, batch.result())
    except BrokenProcessPool:
        raise DataError(
            "a process that decoded pictures was killed, perhaps for lack of memory: free some memory and try again"
        ) from None
    except MemoryError:
        raise _too_little_memory(len(pictures), frame) from None
    finally:
        executor.shutdown(cancel_futures=True)
    return decoded


def _decode_batch(pictures: Sequence[Source], frame: Frame) -> Decoded:
    batch = Decoded(_black(len(pictures), frame))
    for i, picture in enumerate(pictures):
        try:
            batch.images[i] = decode(picture, frame)
        except UnreadableError as error:
            batch.unreadable[i] = str(error)
        except UnfitError as error:
            batch.unfit[i] = str(error)
    return batch


def _black(count: int, frame: Frame) -> NDArray[np.uint8]:
    return np.zeros((count, frame.height, frame.width, 3) if frame.colour else (count, frame.height, frame.width), "u1")


def _too_little_memory(count: int, frame: Frame) -> DataError:
    size = count * frame.height * frame.width * (3 if frame.colour else 1)
    return DataError(
        f"not enough memory for {count:,} pictures of {frame.height}x{frame.width}, {size / 1e9:,.1f} GB: give a "
        "smaller size by --image-size H W, --image-colour grey, or fewer pictures"
    )


def _follow_parent() -> None:
    """Leave Ctrl-C to the parent process, and end when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
