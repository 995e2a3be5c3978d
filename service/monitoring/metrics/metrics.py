"""What is counted of the service's work, as it happens: a few additions for each request.

`scrape` and `exposition` make of it what Prometheus reads.
"""

import os
import threading
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from service.contract.policy import Policy, RejectCostPolicy, SelectiveRiskPolicy
from service.inference.classifier import Scores
from service.inference.outcome import Outcome
from service.monitoring.metrics.tallies import Tallies
from service.monitoring.requests.exchange import Exchange

# Upper ends of the bins of the histograms; one more bin is above the last.
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONFIDENCES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"  # in the place of a method that is none of these

# The first part of a key of the tallies: what is counted. The rest are the values of its labels.
REQUESTS, DURATIONS, IN_FLIGHT = "requests", "durations", "in_flight"
REQUESTS_OF_KEY = "requests_of_key"
DECISIONS, CONFIDENCE = "decisions", "confidence"
PID, RESTARTS, DRAINING = "pid", "restarts", "draining"
RELOADS = "reloads"
REJECTED = "rejected"

SWAPPED, REFUSED = "swapped", "refused"  # what came of another file
# Why requests and connections are turned away: by the names of the settings, where there is one.
REASONS = ("max_concurrent_requests", "max_bodies_bytes", "max_connections", "request_seconds", "header_size")


def policy_name(policy: Policy) -> str:
    """The policy as a label's value: the kind, with what is certified. Never a threshold, since clients make it up.

    >>> policy_name(SelectiveRiskPolicy(selective_risk=0.05, confidence_level=0.95, threshold=0.8))
    'selective_risk=0.05'
    """
    if isinstance(policy, SelectiveRiskPolicy):
        return f"selective_risk={policy.selective_risk}"
    if isinstance(policy, RejectCostPolicy):
        return f"reject_cost={policy.reject_cost}"
    return policy.kind


class Metrics:
    """Counts exchanges: an `Observer`. For use on one event loop, but for `confidences` and `reload`."""

    def __init__(self, tallies: Tallies) -> None:
        self.tallies = tallies
        self._numbers = tallies.numbers
        self._requests: dict[tuple[str, str, int], tuple[int, int]] = {}
        self._confidences: dict[str, Confidences] = {}
        self._of_keys: dict[tuple[str, int], int] = {}
        self._places = lru_cache(512)(self._places_of)  # those of single inputs come again and again
        self._in_flight = tallies.begin((IN_FLIGHT,))
        self._draining = tallies.begin((DRAINING,))
        self._numbers[self._in_flight] = 0  # those of a worker that was killed are gone with it
        self._numbers[self._draining] = 0
        self._rejected = {reason: tallies.begin((REJECTED, reason)) for reason in REASONS}
        pid, restarts = tallies.begin((PID,)), tallies.begin((RESTARTS,))
        self._numbers[restarts] += self._numbers[pid] > 0  # where one was here before
        self._numbers[pid] = os.getpid()

    def begin(self) -> None:
        """The application has begun with a request."""
        self._numbers[self._in_flight] += 1

    def end(self) -> None:
        """It is done with it."""
        self._numbers[self._in_flight] -= 1

    def drain(self) -> None:
        """This worker takes no more requests."""
        self._numbers[self._draining] = 1

    def reject(self, reason: str) -> None:
        """A request or a connection was turned away, for one of `REASONS`."""
        self._numbers[self._rejected[reason]] += 1

    def __call__(self, exchanges: Sequence[Exchange]) -> None:
        """Count them."""
        for exchange in exchanges:
            self._count(exchange)

    def _count(self, exchange: Exchange) -> None:
        method = exchange.method if exchange.method in METHODS else OTHER
        asked = method, exchange.route, exchange.status
        count, bins = self._requests.get(asked) or self._begin(asked)
        numbers, seconds = self._numbers, exchange.seconds
        numbers[count] += 1
        numbers[bins + bisect_left(SECONDS, seconds)] += 1
        numbers[bins + len(SECONDS) + 1] += seconds
        if exchange.key is not None:
            self._count_key(exchange.key, exchange.status)
        if exchange.decided is not None:
            for at, inputs in self._places(exchange.decided):
                numbers[at] += inputs

    def _count_key(self, key: str, status: int) -> None:
        """Of keys there are as many as in their file."""
        at = self._of_keys.get((key, status))
        if at is None:
            at = self._of_keys[key, status] = self.tallies.begin((REQUESTS_OF_KEY, key, str(status)))
        self._numbers[at] += 1

    def refuse_at_once(self, route: str) -> None:
        """A `POST` was refused with 503 as soon as it came: in no time that could be told."""
        asked = "POST", route, 503
        count, bins = self._requests.get(asked) or self._begin(asked)
        self._numbers[count] += 1
        self._numbers[bins] += 1

    def _begin(self, asked: tuple[str, str, int]) -> tuple[int, int]:
        """Where requests of this method, route and status are counted: how many, and the bins of their durations."""
        method, route, code = asked
        status = str(code)
        count = self.tallies.begin((REQUESTS, method, route, status))
        bins = self.tallies.begin((DURATIONS, route, status), len(SECONDS) + 2)
        self._requests[asked] = count, bins
        return count, bins

    def close(self) -> None:
        """Nothing waits to be counted."""

    def _places_of(self, decided: Outcome) -> tuple[tuple[int, int], ...]:
        """Where its decisions are counted, and how many they are."""
        model, policy = decided.model.name, policy_name(decided.policy)
        return tuple(
            (self.tallies.begin((DECISIONS, model, policy, decision)), inputs)
            for decision, inputs in decided.decisions.items()
        )

    def confidences(self, model: str) -> "Confidences":
        """Where the confidences of a model's inputs are counted: those of all its versions."""
        found = self._confidences.get(model)
        if found is None:
            found = self._confidences[model] = Confidences(self.tallies, model)
        return found

    def reload(self, model: str, outcome: str) -> None:
        """Count a file that was swapped in, or refused. For one thread an outcome."""
        self._numbers[self.tallies.begin((RELOADS, model, outcome))] += 1


class Confidences:
    """How one model's confidences are distributed; safe to share between threads."""

    def __init__(self, tallies: Tallies, model: str) -> None:
        self._numbers = tallies.numbers
        self._bins = tallies.begin((CONFIDENCE, model), len(CONFIDENCES) + 2)
        self._sum = self._bins + len(CONFIDENCES) + 1
        self._edges = np.array(CONFIDENCES, np.float32)  # as the scores are: each edge belongs to the bin under it
        self._edge_list = self._edges.tolist()
        self._lock = threading.Lock()

    def record(self, scores: Scores) -> None:
        """Count the inputs of one run."""
        numbers, bins = self._numbers, self._bins
        if len(scores.confidence) == 1:  # in a fifth of the time
            confidence = scores.confidence.item()
            with self._lock:
                numbers[bins + bisect_left(self._edge_list, confidence)] += 1
                numbers[self._sum] += confidence
            return
        counts = np.bincount(self._edges.searchsorted(scores.confidence), minlength=len(CONFIDENCES) + 1).tolist()
        total = float(scores.confidence.sum(dtype=np.float64))
        with self._lock:
            for i, count in enumerate(counts):
                numbers[bins + i] += count
            numbers[self._sum] += total
