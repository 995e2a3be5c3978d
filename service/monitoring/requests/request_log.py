"""A log line for every request. The lines of a batch are written together."""

import logging
import sys
from collections.abc import Sequence

from service.monitoring.requests.exchange import Exchange
from service.monitoring.requests.logs import Lines

NAME = "demur.requests"  # of the logger
# Routes that machines call all the time, and that are of no interest while all is well.
_PROBES = frozenset({"/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})
# A pipe takes this much at once (PIPE_BUF is 4096 on Linux); another worker's lines could split a longer write.
_MAX_WRITE_BYTES = 4096


class RequestLog:
    """An `Observer` that writes to standard output. Requests are `info`, server errors `error`, probes `debug`."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._logger = logging.getLogger(NAME)
        self._lost = 0

    def __call__(self, exchanges: Sequence[Exchange]) -> None:
        """Write a line for each. Lines that cannot be written are counted, and the service keeps answering."""
        lines: list[bytes] = []
        size = 0
        for exchange in exchanges:
            level = _level(exchange)
            if not self._logger.isEnabledFor(level):
                continue
            line = self._lines.format_exchange(exchange, level)
            if lines and size + len(line) > _MAX_WRITE_BYTES:
                self._write(lines)
                lines, size = [], 0
            lines.append(line)
            size += len(line)
        if lines:
            self._write(lines)

    def close(self) -> None:
        """Do nothing: no line is kept back."""

    def _write(self, lines: list[bytes]) -> None:
        out = sys.stdout.buffer
        try:
            out.write(b"".join(lines))
            out.flush()
        except (OSError, ValueError):  # a full disk, a closed pipe, a closed stream
            self._lost += len(lines)
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self._logger.warning("%d earlier request lines could not be written", lost)


def _level(exchange: Exchange) -> int:
    if exchange.status >= 500:
        return logging.ERROR if exchange.status != 503 else logging.WARNING
    return logging.DEBUG if exchange.route in _PROBES else logging.INFO
