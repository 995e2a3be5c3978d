"""Counts of the service's work, for the cost of a few additions per request.

`exposition` turns them into Prometheus' text, `scrape` holds what that needs.
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

# Upper bounds of the histograms' bins; one more bin lies above the last.
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONFIDENCES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"  # the label of any other method

# The first part of a key of the tallies, which says what is counted. The rest are the values of its labels.
REQUESTS, DURATIONS, IN_FLIGHT = "requests", "durations", "in_flight"
REQUESTS_OF_KEY = "requests_of_key"
DECISIONS, CONFIDENCE = "decisions", "confidence"
UNKNOWN_CATEGORIES = "unknown_categories"
PID, RESTARTS, DRAINING = "pid", "restarts", "draining"
RELOADS = "reloads"
REJECTED = "rejected"
LOG_LINES_LOST = "log_lines_lost"

SWAPPED, REFUSED = "swapped", "refused"  # outcomes of a reload
# Why requests and connections are rejected: the name of the setting, where there is one.
REASONS = ("max_concurrent_requests", "max_bodies_bytes", "max_connections", "request_seconds", "header_size")


def policy_name(policy: Policy) -> str:
    """The policy as the value of a label: its kind and the certified level, but no threshold, which clients choose.

    >>> policy_name(SelectiveRiskPolicy(selective_risk=0.05, confidence_level=0.95, threshold=0.8))
    'selective_risk=0.05'
    """
    if isinstance(policy, SelectiveRiskPolicy):
        return f"selective_risk={policy.selective_risk}"
    if isinstance(policy, RejectCostPolicy):
        return f"reject_cost={policy.reject_cost}"
    return policy.kind


class Metrics:
    """Counts exchanges: an `Observer`. For use on one event loop, except where a method says otherwise."""

    def __init__(self, tallies: Tallies) -> None:
        self.tallies = tallies
        self._numbers = tallies.numbers
        self._requests: dict[tuple[str, str, int], tuple[int, int]] = {}
        self._confidences: dict[str, Confidences] = {}
        self._of_keys: dict[tuple[str, int], int] = {}
        self._positions = lru_cache(512)(self._positions_of)  # the outcomes of single inputs repeat
        self._in_flight = tallies.begin((IN_FLIGHT,))
        self._draining = tallies.begin((DRAINING,))
        self._numbers[self._in_flight] = 0  # a killed worker may have left others
        self._numbers[self._draining] = 0
        self._rejected = {reason: tallies.begin((REJECTED, reason)) for reason in REASONS}
        self._log_lines_lost = tallies.begin((LOG_LINES_LOST,))
        pid, restarts = tallies.begin((PID,)), tallies.begin((RESTARTS,))
        self._numbers[restarts] += self._numbers[pid] > 0  # this worker replaces another
        self._numbers[pid] = os.getpid()

    def begin(self) -> None:
        """The application begins to work on a request."""
        self._numbers[self._in_flight] += 1

    def end(self) -> None:
        """The application has finished a request."""
        self._numbers[self._in_flight] -= 1

    def drain(self) -> None:
        """This worker is stopping."""
        self._numbers[self._draining] = 1

    def reject(self, reason: str) -> None:
        """A request or a connection was rejected, for one of `REASONS`."""
        self._numbers[self._rejected[reason]] += 1

    def lose_log_lines(self, lines: int) -> None:
        """Lines of the log could not be written. For one thread at a time."""
        self._numbers[self._log_lines_lost] += lines

    def __call__(self, exchanges: Sequence[Exchange]) -> None:
        """Count them."""
        for exchange in exchanges:
            self._count(exchange)

    def _count(self, exchange: Exchange) -> None:
        method = exchange.method if exchange.method in METHODS else OTHER
        labels = method, exchange.route, exchange.status
        count, bins = self._requests.get(labels) or self._begin(labels)
        numbers, seconds = self._numbers, exchange.seconds
        numbers[count] += 1
        numbers[bins + bisect_left(SECONDS, seconds)] += 1
        numbers[bins + len(SECONDS) + 1] += seconds
        if exchange.key is not None:
            self._count_key(exchange.key, exchange.status)
        if exchange.decided is not None:
            for position, inputs in self._positions(exchange.decided):
                numbers[position] += inputs

    def _count_key(self, key: str, status: int) -> None:
        """Count a request by its key. There are as many as in the file of keys."""
        position = self._of_keys.get((key, status))
        if position is None:
            position = self._of_keys[key, status] = self.tallies.begin((REQUESTS_OF_KEY, key, str(status)))
        self._numbers[position] += 1

    def refuse_at_once(self, route: str) -> None:
        """Count a `POST` that was refused with 503 as soon as it arrived: its duration counts as 0."""
        labels = "POST", route, 503
        count, bins = self._requests.get(labels) or self._begin(labels)
        self._numbers[count] += 1
        self._numbers[bins] += 1

    def _begin(self, labels: tuple[str, str, int]) -> tuple[int, int]:
        """The positions of the count of requests with these labels, and of the bins of their durations."""
        method, route, code = labels
        status = str(code)
        count = self.tallies.begin((REQUESTS, method, route, status))
        bins = self.tallies.begin((DURATIONS, route, status), len(SECONDS) + 2)
        self._requests[labels] = count, bins
        return count, bins

    def close(self) -> None:
        """Do nothing: every count is in memory that others can read."""

    def _positions_of(self, decided: Outcome) -> tuple[tuple[int, int], ...]:
        """The positions of what an outcome counts, and the number of inputs of each."""
        model, policy = decided.model.name, policy_name(decided.policy)
        counted: list[tuple[tuple[str, ...], int]]
        counted = [((DECISIONS, model, policy, decision), inputs) for decision, inputs in decided.decisions.items()]
        if decided.unknown_categories:
            counted.append(((UNKNOWN_CATEGORIES, model), decided.unknown_categories))
        return tuple((self.tallies.begin(key), inputs) for key, inputs in counted)

    def confidences(self, model: str) -> "Confidences":
        """The histogram of a model's confidences, over all its versions. For any thread."""
        confidences = self._confidences.get(model)
        if confidences is None:
            confidences = self._confidences[model] = Confidences(self.tallies, model)
        return confidences

    def reload(self, model: str, outcome: str) -> None:
        """Count a file that was swapped in or refused. For one thread per outcome."""
        self._numbers[self.tallies.begin((RELOADS, model, outcome))] += 1


class Confidences:
    """The histogram of one model's confidences; safe to share between threads."""

    def __init__(self, tallies: Tallies, model: str) -> None:
        self._numbers = tallies.numbers
        self._bins = tallies.begin((CONFIDENCE, model), len(CONFIDENCES) + 2)
        self._sum = self._bins + len(CONFIDENCES) + 1
        self._edges = np.array(CONFIDENCES, np.float32)  # float32 as the scores; an edge belongs to the bin below it
        self._edge_list = self._edges.tolist()
        self._lock = threading.Lock()

    def record(self, scores: Scores) -> None:
        """Count the inputs of one run."""
        if len(scores.confidence) == 1:
            self._record_one(scores.confidence.item())
            return
        counts = np.bincount(self._edges.searchsorted(scores.confidence), minlength=len(CONFIDENCES) + 1).tolist()
        total = float(scores.confidence.sum(dtype=np.float64))
        with self._lock:
            for i, count in enumerate(counts):
                self._numbers[self._bins + i] += count
            self._numbers[self._sum] += total

    def _record_one(self, confidence: float) -> None:
        """The same for one input, in a fifth of the time."""
        with self._lock:
            self._numbers[self._bins + bisect_left(self._edge_list, confidence)] += 1
            self._numbers[self._sum] += confidence
