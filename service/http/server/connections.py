"""The connections of one worker: their limit, and a check of all of them once a second for time limits.

One check of all costs less than a timer for each request, almost none of which would ever fire.
"""

import asyncio
import logging
import time
from http import HTTPStatus
from typing import Protocol, cast

from service.http.admission import OVERLOADED, RETRY_AFTER_SECONDS, Admission
from service.http.drain import STOPPING
from service.http.server.refusals import Refusal
from service.monitoring.metrics.metrics import Metrics
from service.monitoring.requests.exchange import ExchangeObservers
from service.settings import Settings

STATE = "connections"  # where the lifespan's state holds the Connections
CHECK_SECONDS = 1.0

_log = logging.getLogger("demur")


class Connection(Protocol):
    """A connection with time limits."""

    def check(self, now: float) -> None:
        """Close it if it has exceeded a time limit; `now` is on the clock of `time.perf_counter`."""
        ...


class SurplusConnection(Connection, Protocol):
    """A connection over the limit."""

    def drop(self) -> None:
        """Close it at once."""
        ...


class Connections:
    """The open connections. For use on one event loop."""

    def __init__(
        self, settings: Settings, admission: Admission, metrics: Metrics, observers: ExchangeObservers
    ) -> None:
        self.request_seconds = settings.request_seconds
        self.keep_alive_seconds = settings.keep_alive_seconds
        self.admission = admission
        self.metrics = metrics
        self.observers = observers
        retry_after = ("retry-after", str(RETRY_AFTER_SECONDS))
        self.overloaded = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, OVERLOADED, retry_after)
        self.limit_reached = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "connection limit reached", retry_after)
        self.stopping = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, STOPPING)
        self._limit = settings.max_connections
        self._open: set[Connection] = set()
        self._surplus: dict[SurplusConnection, None] = {}  # the oldest first
        self._rejected = 0  # since the last check

    def opened(self, connection: Connection) -> None:
        """Add an open connection."""
        self._open.add(connection)

    def closed(self, connection: Connection) -> None:
        """Remove a closed connection, if it was one of these."""
        self._open.discard(connection)
        self._surplus.pop(cast(SurplusConnection, connection), None)

    def full(self) -> bool:
        """Whether the limit is reached."""
        return len(self._open) >= self._limit

    def opened_surplus(self, connection: SurplusConnection) -> None:
        """Add a surplus connection, in the place of the oldest if there are as many as open ones may be."""
        if len(self._surplus) >= self._limit:
            oldest = next(iter(self._surplus))
            del self._surplus[oldest]
            oldest.drop()
        self._surplus[connection] = None

    def reject(self) -> None:
        """Count a surplus connection that was not answered."""
        self.metrics.reject("max_connections")
        self._rejected += 1

    async def watch(self) -> None:
        """Check all connections once a second, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            # If the process was held up, requests wait in the kernel, and the event loop runs timers first. It gets a
            # turn to read them and one to answer them, or their connections would be closed as idle.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.check()

    def check(self) -> None:
        """Check all connections."""
        self.admission.check()
        if self._rejected:
            _log.warning(
                "connection limit of %d reached: rejected %d connections in the last second",
                self._limit,
                self._rejected,
            )
            self._rejected = 0
        now = time.perf_counter()
        for connection in [*self._open, *self._surplus]:
            try:
                connection.check(now)
            except Exception:  # a bug must not keep the other connections from being checked
                _log.exception("a connection could not be checked")
