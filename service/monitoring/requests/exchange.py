"""A request and its answer, and the observers that are told of it: metrics, log and traces."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from service.inference.outcome import Outcome

UNMATCHED = "unmatched"  # the route of a request that matches none


class Exchange(NamedTuple):
    """A request that was answered or given up. It never holds inputs, or parts of them."""

    request_id: str
    traceparent: str | None  # as the client sent it, if it is valid
    method: str
    path: str
    route: str  # the template, such as `/models/{name}/predict`: there are few of them
    status: int
    began: float  # seconds since the epoch
    seconds: float  # from the request's first byte to the answer's last, as seen by the service
    decided: Outcome | None
    key: str | None = None  # the name of its API key


class Observer(Protocol):
    """Takes note of exchanges. It is called on the event loop, so it must be quick, and it may not raise."""

    def __call__(self, exchanges: Sequence[Exchange]) -> None:
        """Take note of them."""
        ...

    def close(self) -> None:
        """Called once, when the service ends."""
        ...


class ExchangeObservers:
    """Tells the observers of exchanges, one batch per turn of the event loop. For use on one event loop.

    That is after the answers, so that none of them waits, and lets the log write a batch at once.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._pending: list[Exchange] = []

    def add(self, exchange: Exchange) -> None:
        """Tell the observers of it before the event loop next looks at its sockets."""
        if not self._pending:
            asyncio.get_running_loop().call_soon(self.flush)
        self._pending.append(exchange)

    def flush(self) -> None:
        """Tell the observers of all pending exchanges."""
        pending, self._pending = self._pending, []
        if pending:
            for observe in self._observers:
                observe(pending)

    def close(self) -> None:
        """Called when the service ends."""
        self.flush()
        for observer in self._observers:
            observer.close()
