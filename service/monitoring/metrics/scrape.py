"""What a scrape of `/metrics` looks at, and what it remembers of the scrapes before it."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from service.monitoring.drift.schema import DriftResponse
from service.monitoring.metrics.metrics import Metrics
from service.monitoring.monitor import Monitor
from service.monitoring.worker_slot import WorkerSlot

# The exact tests of a window take some milliseconds. Those of many models are made in turn, a few a scrape.
_DRIFT_SECONDS = 0.002


class Monitored(Protocol):
    """The registry, as a scrape sees it."""

    @property
    def refused(self) -> Collection[str]:
        """The names of models in whose place a file lies that may not serve."""
        ...

    def monitors(self) -> Mapping[str, Monitor | None]:
        """The monitors of the models of now by name; None for a file that may not serve."""
        ...


class Scrape:
    """What all workers have counted, and what this one knows of its models. Whoever looks holds its lock."""

    def __init__(self, metrics: Metrics, registry: Monitored, slot: WorkerSlot) -> None:
        self.metrics = metrics
        self.registry = registry
        self.workers = slot.workers
        self.lock = threading.Lock()
        # By name and version: the number of the window; the longest ago first.
        self._drift: dict[tuple[str, str], tuple[int, DriftResponse]] = {}

    def drift(self, monitors: Sequence[Monitor]) -> list[DriftResponse]:
        """The last window of each model beside its reference; of many models, maybe the window of some scrapes ago."""
        until = time.perf_counter() + _DRIFT_SECONDS
        ready = {(monitor.model.name, monitor.model.version): monitor for monitor in monitors}
        for gone in self._drift.keys() - ready.keys():
            del self._drift[gone]
        for key in [*(ready.keys() - self._drift.keys()), *self._drift]:
            monitor = ready[key]
            if key in self._drift and self._drift[key][0] == monitor.drift.window_number:
                continue
            self._drift.pop(key, None)
            found = monitor.drift.state(monitor.model, monitor.manifest.labels)
            self._drift[key] = found.window_number, found
            if time.perf_counter() > until:
                break
        return [found for _, found in self._drift.values()]
