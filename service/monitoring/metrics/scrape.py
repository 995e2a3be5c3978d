"""The state behind a scrape of `/metrics`, and what it remembers of earlier scrapes."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from service.monitoring.drift.schema import DriftResponse
from service.monitoring.metrics.metrics import Metrics
from service.monitoring.monitor import Monitor
from service.monitoring.worker_slot import WorkerSlot

# The exact tests of a window take milliseconds. With many models, each scrape tests only a few of them.
_MAX_DRIFT_SECONDS = 0.002


class Monitored(Protocol):
    """The registry, as a scrape sees it."""

    @property
    def refused(self) -> Collection[str]:
        """The names of models whose new file was refused."""
        ...

    def monitors(self) -> Mapping[str, Monitor | None]:
        """The monitors of the current models by name; None for a file that failed its proof."""
        ...


class Scrape:
    """The counts of all workers, and this worker's models. Hold `lock` while you read it."""

    def __init__(self, metrics: Metrics, registry: Monitored, slot: WorkerSlot) -> None:
        self.metrics = metrics
        self.registry = registry
        self.workers = slot.workers
        self.lock = threading.Lock()
        # By name and version: the number of the window that was tested. Least recently tested first.
        self._drift: dict[tuple[str, str], tuple[int, DriftResponse]] = {}

    def drift(self, monitors: Sequence[Monitor]) -> list[DriftResponse]:
        """The last window of each model, tested; with many models, some may be a few windows behind."""
        until = time.perf_counter() + _MAX_DRIFT_SECONDS
        ready = {(monitor.model.name, monitor.model.version): monitor for monitor in monitors}
        for replaced in self._drift.keys() - ready.keys():
            del self._drift[replaced]
        for key in [*(ready.keys() - self._drift.keys()), *self._drift]:
            monitor = ready[key]
            if key in self._drift and self._drift[key][0] == monitor.drift.window_number:
                continue
            self._drift.pop(key, None)
            drift = monitor.drift.state(monitor.model, monitor.manifest.labels)
            self._drift[key] = drift.window_number, drift
            if time.perf_counter() > until:
                break
        return [drift for _, drift in self._drift.values()]
