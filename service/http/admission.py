"""Admission control: how many requests may be processed or wait. One more is refused at once.

When more requests come than can be answered, the rest must be refused, and refusals must be cheap, or they are
themselves the overload. Requests that are answered must not wait long: a late answer is worthless and cost as much.

A burst of up to `max_requests` is admitted entirely, however long it takes. While one turn of the event loop after
another refuses requests, the limit follows the time that a turn takes (`next_limit`): a request waits as long in the
kernel before it is read. One long turn alone, in which the process was held up, changes nothing. After a second without
a refusal the limit is `max_requests` again.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from service.monitoring.metrics.metrics import Metrics

_TURN_SECONDS = 0.015  # of the processor, for the answers of one turn of the event loop in an overload
_REFUSAL = 0.25  # of the time of an answer; the benchmark of overload measures it
RETRY_AFTER_SECONDS = 1
OVERLOADED = f"the service is overloaded: wait at least {RETRY_AFTER_SECONDS} s, then send the request again"

_log = logging.getLogger("demur")


def next_limit(limit: int, refused: int, seconds: float, max_requests: int) -> int:
    """The limit after a turn of the event loop that refused some requests, as the one before it did.

    `seconds` is what the turn took of the processor; others' use of it would not become less with a lower limit. A
    refusal takes about a quarter of the time of an answer, and the rest of the turn was for the answers. If that is at
    most 15 ms the limit rises by an eighth, at least by 1; otherwise it falls in proportion, to no less than half. So
    batches are large enough to be cheap, and no request waits long. Like CoDel (RFC 8289), the rule goes by how long a
    request waits instead of how many do: a fixed number would be too high for one model and too low for another.

    >>> [next_limit(64, 0, seconds, max_requests=128) for seconds in (0.01, 0.02, 1.0)]
    [72, 48, 32]
    >>> next_limit(64, 256, 0.04, max_requests=128)  # half of the 40 ms for 64 answers
    48
    >>> next_limit(128, 0, 0.01, max_requests=128), next_limit(1, 0, 1.0, max_requests=128)
    (128, 1)
    """
    seconds *= limit / (limit + refused * _REFUSAL)
    if seconds <= _TURN_SECONDS:
        return min(max_requests, limit + max(1, limit // 8))
    return max(1, int(limit * max(0.5, _TURN_SECONDS / seconds)))


class Admission:
    """Counts the requests of one worker that are processed or wait. For use on one event loop.

    A request whose body is still arriving does not count: it is no work yet, and slow clients would fill the limit.
    """

    def __init__(
        self, max_requests: int, max_bytes: int, metrics: Metrics, clock: Callable[[], float] = time.thread_time
    ) -> None:
        """Admit at most `max_requests`, and `max_bytes` of the bodies of requests that the application has begun.

        `clock` returns the processor time of the event loop's thread, in seconds.
        """
        self.max_requests = max_requests
        self.requests = 0  # processed or waiting
        self.limit = max_requests  # the current one, lower during an overload
        self.held_bytes = 0
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._clock = clock
        self._refused = 0  # since the last check
        self._turn_refused = 0  # in this turn of the event loop
        self._turn_began: float | None = None  # None if the turn before this one refused nothing

    def refuses(self) -> bool:
        """Whether the request that has arrived must be refused; if so, count it."""
        if self.requests < self.limit:
            return False
        if not self._turn_refused and self._turn_began is None:
            asyncio.get_running_loop().call_soon(self._end_turn)
        self._turn_refused += 1
        self._refused += 1
        self._metrics.reject("max_concurrent_requests")
        return True

    def hold(self, size: int) -> bool:
        """Add bytes of a body to `held_bytes`, from which the caller later removes them. Whether they fit."""
        self.held_bytes += size
        if self.held_bytes <= self._max_bytes:
            return True
        self._metrics.reject("max_bodies_bytes")
        return False

    def check(self) -> None:
        """Called once a second. One log line stands for all refusals: a line for each would add to the overload."""
        refused, self._refused = self._refused, 0
        if refused:
            _log.warning("overloaded: refused %d requests in the last second", refused)
        else:
            self.limit = self.max_requests

    def _end_turn(self) -> None:
        """Called once in each turn of the event loop, after all that it read, until a turn has refused nothing."""
        began, self._turn_began = self._turn_began, None
        refused, self._turn_refused = self._turn_refused, 0
        if not refused:
            return
        self._turn_began = self._clock()
        if began is not None:
            self.limit = next_limit(self.limit, refused, self._turn_began - began, self.max_requests)
        asyncio.get_running_loop().call_soon(self._end_turn)
