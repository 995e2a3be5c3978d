"""Shows the progress of a run in one line, on a terminal only."""

import time
from typing import TextIO

_INTERVAL_SECONDS = 0.2


class Progress:
    """Counts rows, and shows the count on a terminal."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream, self._total = stream, total
        self._done = self._skipped = 0
        self._start = self._shown = time.monotonic()
        self._line = ""

    def skip(self, rows: int) -> None:
        """Count rows that an earlier run scored."""
        self._skipped += rows
        self.add(rows)

    def add(self, rows: int) -> None:
        """Count rows that were scored."""
        self._done += rows
        now = time.monotonic()
        if self._stream.isatty() and now - self._shown >= _INTERVAL_SECONDS:
            self._shown = now
            self._write(progress_line(self._done, self._total, (self._done - self._skipped) / (now - self._start)))

    def clear(self) -> None:
        """Remove the line."""
        if self._line:
            self._write("")

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line:<{len(self._line)}}" + ("" if line else "\r"))
        self._stream.flush()
        self._line = line


def progress_line(done: int, total: int, rate: float) -> str:
    """The line; `rate` is in rows per second.

    >>> progress_line(2_500_000, 10_000_000, 250_000.0)
    '2,500,000 of 10,000,000 rows, 25 %, 250,000 rows/s, 30 s left'
    """
    left = f", {(total - done) / rate:.0f} s left" if rate > 0 else ""
    return f"{done:,} of {total:,} rows, {100 * done // max(total, 1)} %, {rate:,.0f} rows/s{left}"
