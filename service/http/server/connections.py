"""The connections of one worker: how many there may be, and a look at each, once a second, for what takes too long.

One look at all costs less than a timer for each request, of which almost none ever runs out.
"""

import asyncio
import logging
import time
from http import HTTPStatus
from typing import Protocol

from service.http.admission import OVERLOADED, RETRY_AFTER_SECONDS, Admission
from service.http.server.refusals import Refusal
from service.monitoring.metrics.metrics import Metrics
from service.monitoring.requests.exchange import ExchangeObservers
from service.settings import Settings

STATE = "connections"  # the name of a Connections in the lifespan's state
LOOK_SECONDS = 1.0

_log = logging.getLogger("demur")


class Connection(Protocol):
    """One that is looked at."""

    def look(self, now: float) -> None:
        """End it, if it has taken too long; `now` is on the clock of `time.perf_counter`."""
        ...


class Connections:
    """Those that are open. For use on one event loop."""

    def __init__(
        self, settings: Settings, admission: Admission, metrics: Metrics, observers: ExchangeObservers
    ) -> None:
        self.request_seconds = settings.request_seconds
        self.keep_alive_seconds = settings.keep_alive_seconds
        self.admission = admission
        self.metrics = metrics
        self.observers = observers
        later = ("retry-after", str(RETRY_AFTER_SECONDS))
        self.overloaded = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, OVERLOADED, later)
        self.crowded = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the service has all connections that it may", later)
        self._most = settings.max_connections
        self._open: set[Connection] = set()
        self._surplus: set[Connection] = set()
        self._turned_away = 0  # since the last look

    def opened(self, connection: Connection) -> None:
        """It is one more."""
        self._open.add(connection)

    def closed(self, connection: Connection) -> None:
        """It is one less; whether it is known does not matter."""
        self._open.discard(connection)
        self._surplus.discard(connection)

    def full(self) -> bool:
        """Whether no more may be opened."""
        return len(self._open) >= self._most

    def turn_away(self, connection: Connection) -> bool:
        """Count one that is too many. False where not even a refusal may wait for its request."""
        self.metrics.reject("max_connections")
        self._turned_away += 1
        if len(self._surplus) >= self._most:
            return False
        self._surplus.add(connection)
        return True

    async def watch(self) -> None:
        """Look at all of them, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Look at all of them."""
        self.admission.look()
        if self._turned_away:
            _log.warning("turned away %d connections in the last second: there are %d", self._turned_away, self._most)
            self._turned_away = 0
        now = time.perf_counter()
        for connection in [*self._open, *self._surplus]:
            try:
                connection.look(now)
            except Exception:  # a fault of ours with one, by which nobody would look at the others any more
                _log.exception("a connection could not be looked at")
