"""What a scrape of `/metrics` looks at, and what it remembers of the scrapes before it."""

import threading
import time
from collections.abc import Sequence

from service.monitoring.drift.schema import DriftResponse
from service.monitoring.metrics.metrics import Metrics
from service.monitoring.worker_slot import Place
from service.registry.loading import ServedModel
from service.registry.registry import Serving

# The exact tests of a window take some milliseconds. Those of many models are made in turn, a few a scrape.
_DRIFT_SECONDS = 0.002


class Scrape:
    """What all workers have counted, and what this one knows of its models. Whoever looks holds its lock."""

    def __init__(self, metrics: Metrics, serving: Serving, place: Place) -> None:
        self.metrics = metrics
        self.serving = serving
        self.workers = place.workers
        self.lock = threading.Lock()
        # By name and version: the number of the window; the longest ago first.
        self._drift: dict[tuple[str, str], tuple[int, DriftResponse]] = {}

    def drift(self, models: Sequence[ServedModel]) -> list[DriftResponse]:
        """The last window of each model beside its reference; of many models, maybe the window of some scrapes ago."""
        until = time.perf_counter() + _DRIFT_SECONDS
        ready = {(model.ref.name, model.ref.version): model for model in models}
        for gone in self._drift.keys() - ready.keys():
            del self._drift[gone]
        for key in [*(ready.keys() - self._drift.keys()), *self._drift]:
            model = ready[key]
            if key in self._drift and self._drift[key][0] == model.drift.window_number:
                continue
            self._drift.pop(key, None)
            found = model.drift.state(model.ref, model.manifest.labels)
            self._drift[key] = found.window_number, found
            if time.perf_counter() > until:
                break
        return [found for _, found in self._drift.values()]
