"""Admission control: how many requests may be processed or wait. One more is refused at once.

When more requests come than can be answered, the rest must be refused, and refusals must be cheap, or they are
themselves the overload. Requests that are answered must not wait long: a late answer is worthless and cost as much. So
there are two limits. A burst of up to `max_requests` is admitted entirely, however long it takes. Beyond that the
service counts as overloaded: until nothing has been refused for a second, it admits only a fraction of that at a time,
so that the queue stays short while the overload lasts.
"""

import logging

from service.monitoring.metrics.metrics import Metrics

# The fraction during an overload. Requests admitted in one turn of the event loop are answered at its end, after all
# that are refused in it, so the latency of an answer grows with this.
_SHARE = 64
RETRY_AFTER_SECONDS = 1
OVERLOADED = f"the service is overloaded: wait at least {RETRY_AFTER_SECONDS} s, then send the request again"

_log = logging.getLogger("demur")


class Admission:
    """Counts the requests of one worker that are processed or wait. For use on one event loop.

    A request whose body is still arriving does not count: it is no work yet, and slow clients would fill the limit.
    """

    def __init__(self, max_requests: int, max_bytes: int, metrics: Metrics) -> None:
        """Admit at most `max_requests`, and `max_bytes` of the bodies of requests that the application has begun."""
        self.max_requests = max_requests
        self.requests = 0  # processed or waiting
        self.limit = max_requests  # the current one, lower during an overload
        self.held_bytes = 0
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._refused = 0  # since the last check

    def refuses(self) -> bool:
        """Whether the request that has arrived must be refused; if so, count it."""
        if self.requests < self.limit:
            return False
        self.limit = max(1, self.max_requests // _SHARE)
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
