"""How far a run is, in one line that is written over; only where somebody may be looking at it."""

import time
from typing import TextIO

_EVERY_SECONDS = 0.2


class Progress:
    """Counts rows, and says so on a terminal."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream, self._total = stream, total
        self._done = self._before = 0
        self._start = self._said = time.monotonic()
        self._line = ""

    def skip(self, rows: int) -> None:
        """Rows that were done before."""
        self._before += rows
        self.add(rows)

    def add(self, rows: int) -> None:
        """Rows that are done."""
        self._done += rows
        now = time.monotonic()
        if self._stream.isatty() and now - self._said >= _EVERY_SECONDS:
            self._said = now
            self._write(progress_line(self._done, self._total, (self._done - self._before) / (now - self._start)))

    def clear(self) -> None:
        """Take the line away."""
        if self._line:
            self._write("")

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line:<{len(self._line)}}" + ("" if line else "\r"))
        self._stream.flush()
        self._line = line


def progress_line(done: int, total: int, rate: float) -> str:
    """The line; `rate` is in rows a second.

    >>> progress_line(2_500_000, 10_000_000, 250_000.0)
    '2,500,000 of 10,000,000 rows, 25 %, 250,000 rows/s, 30 s left'
    """
    left = f", {(total - done) / rate:.0f} s left" if rate > 0 else ""
    return f"{done:,} of {total:,} rows, {100 * done // max(total, 1)} %, {rate:,.0f} rows/s{left}"
