"""How many requests may be in work or waiting, and what becomes of one more: it is refused at once.

Where more comes than can be answered the rest has to be refused, and refusing has to be cheap, or it is itself the
overload. And what is answered must not have waited long: an answer that comes late is as good as none, and was work
all the same. So there are two bounds. Up to `most` requests a burst is taken whole, whatever it takes. Beyond it the
service counts as overloaded: until nothing has been refused for a second it takes only a part of that at a time, so
that the queue stays short while more comes than can be answered.
"""

import logging

from service.monitoring.metrics.metrics import Metrics

# While it is overloaded. What is taken in one turn of the event loop is answered at its end, after all that is refused
# in it, so that this is what the latency of an answer then grows with.
_SHARE = 64
RETRY_AFTER_SECONDS = 1
OVERLOADED = f"the service is overloaded: wait {RETRY_AFTER_SECONDS} s or longer, then send the request again"

_log = logging.getLogger("demur")


class Admission:
    """Counts the requests of one worker that are in work or wait for it. For use on one event loop.

    A request whose body is still coming does not count: it is no work, and slow clients would take all the room.
    """

    def __init__(self, most: int, most_bytes: int, metrics: Metrics) -> None:
        """At most `most` requests, and `most_bytes` of the bodies of those that the application has begun with."""
        self.most = most
        self.requests = 0  # in work or waiting
        self.limit = most  # of them, as things are
        self.held_bytes = 0
        self._most_bytes = most_bytes
        self._metrics = metrics
        self._refused = 0  # since the last look

    def refuses(self) -> bool:
        """Whether a request that has come must be refused, which is counted."""
        if self.requests < self.limit:
            return False
        self.limit = max(1, self.most // _SHARE)
        self._refused += 1
        self._metrics.reject("max_concurrent_requests")
        return True

    def hold(self, size: int) -> bool:
        """So many more bytes of a body have come, to be taken from `held_bytes` in the end. Whether they may stay."""
        self.held_bytes += size
        if self.held_bytes <= self._most_bytes:
            return True
        self._metrics.reject("max_bodies_bytes")
        return False

    def look(self) -> None:
        """Called once a second. One line of the log stands for all that were refused: more would be work as well."""
        refused, self._refused = self._refused, 0
        if refused:
            _log.warning("overloaded: refused %d requests in the last second", refused)
        else:
            self.limit = self.most
