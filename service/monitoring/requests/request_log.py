"""A line of the log for every request. Lines that come together are written together."""

import logging
import sys
from collections.abc import Sequence

from service.monitoring.requests.exchange import Exchange
from service.monitoring.requests.lines import Lines

NAME = "demur.requests"  # as `logging` knows it
# What is asked again and again by machines, and says nothing while it is well.
_PROBES = frozenset({"/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})
# POSIX: so much is written to a pipe in one piece (PIPE_BUF is 4096 on Linux). More could be torn by another worker's.
_AT_ONCE_BYTES = 4096


class RequestLog:
    """An `Observer` that writes to standard output. Requests are `info`, faults of ours `error`, probes `debug`."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._logger = logging.getLogger(NAME)
        self._lost = 0

    def __call__(self, exchanges: Sequence[Exchange]) -> None:
        """Write a line about each.

        Lines that the system does not take are counted, and no reason to stop answering.
        """
        piece: list[bytes] = []
        size = 0
        for exchange in exchanges:
            level = _level(exchange)
            if not self._logger.isEnabledFor(level):
                continue
            line = self._lines.of_exchange(exchange, level)
            if piece and size + len(line) > _AT_ONCE_BYTES:
                self._put(piece)
                piece, size = [], 0
            piece.append(line)
            size += len(line)
        if piece:
            self._put(piece)

    def close(self) -> None:
        """Nothing waits to be written."""

    def _put(self, lines: list[bytes]) -> None:
        out = sys.stdout.buffer
        try:
            out.write(b"".join(lines))
            out.flush()
        except (OSError, ValueError):  # a full disk, a reader that has gone, a stream that is closed
            self._lost += len(lines)
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self._logger.warning("%d lines of requests before this could not be written", lost)


def _level(exchange: Exchange) -> int:
    if exchange.status >= 500:
        return logging.ERROR if exchange.status != 503 else logging.WARNING
    return logging.DEBUG if exchange.route in _PROBES else logging.INFO
