"""Whoever keeps account is told of requests a turn of the event loop at a time.

After the answers, so that none of them waits for it, and of all that came together at once, so that the log writes once
for all of them.
"""

import asyncio
from collections.abc import Sequence

from service.monitoring.requests.exchange import Exchange, Observer


class ExchangeObservers:
    """Takes exchanges, and hands them on. For use on one event loop."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._waiting: list[Exchange] = []

    def add(self, exchange: Exchange) -> None:
        """Tell the observers of it before the event loop turns to its sockets again."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.settle)
        self._waiting.append(exchange)

    def settle(self) -> None:
        """Tell the observers of all that waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            for observe in self._observers:
                observe(waiting)

    def close(self) -> None:
        """There will be no more."""
        self.settle()
        for observer in self._observers:
            observer.close()
