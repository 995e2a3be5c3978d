"""Writes the log to standard output in a thread of its own, so that nothing waits for whoever reads it.

A pipe that nobody reads, or a terminal that Ctrl-S has stopped, blocks each write without limit. The lines then wait in
memory, up to a limit. Further ones are lost, and counted.
"""

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache

MAX_BYTES = 4 * 1024 * 1024  # of lines that wait: ten thousand requests
# The lines of this time are written together. To wake a thread and to write cost more than most lines.
_GATHER_SECONDS = 0.02
# A pipe takes this much at once (PIPE_BUF is 4096 on Linux); another process's lines could split a longer write.
_MAX_SHARED_WRITE_BYTES = 4096
_REPORT_SECONDS = 1.0  # between two reports of lost lines
_EXIT_SECONDS = 1.0  # that the end of the process waits for the last lines to be written

_log = logging.getLogger("demur")


class LogWriter:
    """Writes whole lines, in the order of the calls. For any thread."""

    def __init__(self, descriptor: int | None, max_bytes: int = MAX_BYTES) -> None:
        """`descriptor` is that of the output; with None there is none, and nothing is written or counted."""
        self.shared = True
        """Whether other processes write there too. If not, fewer and longer writes take less time."""
        self._descriptor = descriptor
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._hurry = threading.Event()  # the process ends
        self._lines: list[bytes] = []
        self._size = 0  # of the lines that are not written yet
        self._unreported = 0
        self._reported_at = -_REPORT_SECONDS
        self._torn = False  # the last write ended within a line
        self._count_lost: Callable[[int], None] | None = None
        self._lost_before = 0  # before there was something to count them
        if descriptor is not None:
            threading.Thread(target=self._run, name="demur-log", daemon=True).start()

    def write(self, lines: Sequence[bytes]) -> None:
        """Write lines, each with its newline, soon. Those that do not fit into memory are lost."""
        if self._descriptor is None:
            return
        size = sum(map(len, lines))
        with self._changed:
            if self._size + size > self._max_bytes:
                self._lose(len(lines))
                return
            if not self._lines:
                self._changed.notify_all()
            self._lines += lines
            self._size += size

    def count_lost(self, count: Callable[[int], None]) -> None:
        """From now on call `count` with the number of each loss, and now with that of the earlier ones."""
        with self._changed:
            self._count_lost = count
            count(self._lost_before)

    def flush(self, seconds: float = _EXIT_SECONDS) -> bool:
        """Wait until all lines are written, for `seconds` at most. Whether they are. For the end of the process."""
        self._hurry.set()
        with self._changed:
            return self._changed.wait_for(lambda: not self._size, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
            self._hurry.wait(_GATHER_SECONDS)
            with self._changed:
                lines, self._lines = self._lines, []
            if self._write_all(lines) and self._unreported:
                self._report()
            with self._changed:
                self._size -= sum(map(len, lines))
                self._changed.notify_all()

    def _write_all(self, lines: list[bytes]) -> bool:
        """Whether the last of the lines was written."""
        if not self.shared:
            return self._write_piece(b"".join(lines))
        piece: list[bytes] = []
        size = 0
        for line in lines:
            if piece and size + len(line) > _MAX_SHARED_WRITE_BYTES:
                self._write_piece(b"".join(piece))
                piece, size = [], 0
            piece.append(line)
            size += len(line)
        return self._write_piece(b"".join(piece))

    def _write_piece(self, piece: bytes) -> bool:
        assert self._descriptor is not None
        rest = memoryview(b"\n" + piece if self._torn else piece)
        begun = rest.nbytes
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:  # a full disk, or a reader that is gone
            if rest.nbytes < begun:
                self._torn = piece[-rest.nbytes - 1 : -rest.nbytes] != b"\n"
            with self._changed:
                self._lose(bytes(rest).count(b"\n"))
            return False
        self._torn = False
        return True

    def _lose(self, lines: int) -> None:
        """Count lost lines. Holds the lock."""
        self._unreported += lines
        if self._count_lost is None:
            self._lost_before += lines
        else:
            self._count_lost(lines)

    def _report(self) -> None:
        """Log how many lines were lost, at most once a second."""
        now = time.monotonic()
        if now < self._reported_at + _REPORT_SECONDS and not self._hurry.is_set():
            return
        self._reported_at = now
        with self._changed:
            lost, self._unreported = self._unreported, 0
        _log.warning("%d log lines were lost: standard output was full, or nobody read it", lost)


@cache
def standard_output() -> LogWriter:
    """The writer of this process."""
    try:
        # A copy, since the number of a closed standard output would be given to another file.
        descriptor = None if sys.stdout is None else os.dup(sys.stdout.fileno())
    except OSError:  # not a file
        descriptor = None
    writer = LogWriter(descriptor)
    atexit.register(writer.flush)
    return writer
