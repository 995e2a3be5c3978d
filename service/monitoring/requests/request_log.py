"""A log line for every request."""

import logging
from collections.abc import Sequence

from service.monitoring.requests.exchange import Exchange
from service.monitoring.requests.log_writer import LogWriter
from service.monitoring.requests.logs import Lines

NAME = "demur.requests"  # of the logger
# Routes that machines call all the time, and that are of no interest while all is well.
_PROBES = frozenset({"/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})


class RequestLog:
    """An `Observer` that writes a line for each request: `info`, server errors `error`, probes `debug`."""

    def __init__(self, lines: Lines, writer: LogWriter) -> None:
        self._lines = lines
        self._writer = writer
        self._logger = logging.getLogger(NAME)

    def __call__(self, exchanges: Sequence[Exchange]) -> None:
        """Write a line for each."""
        lines: list[bytes] = []
        for exchange in exchanges:
            level = _level(exchange)
            if self._logger.isEnabledFor(level):
                lines.append(self._lines.format_exchange(exchange, level))
        if lines:
            self._writer.write(lines)

    def close(self) -> None:
        """Do nothing: the writer ends with the process."""


def _level(exchange: Exchange) -> int:
    if exchange.status >= 500:
        return logging.ERROR if exchange.status != 503 else logging.WARNING
    return logging.DEBUG if exchange.route in _PROBES else logging.INFO
