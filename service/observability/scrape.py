"""What a scrape of `/metrics` looks at, and what it remembers of the scrapes before it."""

import threading
import time

from service.models import Models, ServedModel
from service.monitoring.place import Place
from service.observability.metrics import CONFIDENCE, CONFIDENCES, Metrics
from service.observability.tallies import Numbers
from service.schemas.drift import DriftResponse

# The exact tests of drift take some milliseconds a model. Those of many models are made in turn, a few a scrape.
_DRIFT_SECONDS = 0.002


class Scrape:
    """What all workers have counted, and what this one knows of its models. Whoever looks holds its lock."""

    def __init__(self, metrics: Metrics, models: Models, place: Place) -> None:
        self.metrics = metrics
        self.models = models
        self.workers = place.workers
        self.lock = threading.Lock()
        self._drift: dict[str, tuple[int, DriftResponse]] = {}  # how many inputs had been seen; the longest ago first

    def drift(self, counted: Numbers) -> list[DriftResponse]:
        """How the inputs of each model compare with its reference; of many models, some of them a few scrapes ago."""
        until = time.perf_counter() + _DRIFT_SECONDS
        ready = {model.ref.name: model for model in self.models.ready()}
        for name in [*(ready.keys() - self._drift.keys()), *self._drift]:
            seen = _inputs(counted, name)
            if name in self._drift and self._drift[name][0] == seen:
                continue
            self._drift.pop(name, None)
            self._drift[name] = seen, _compared(ready[name])
            if time.perf_counter() > until:
                break
        return [found for _, found in self._drift.values()]


def _inputs(counted: Numbers, model: str) -> int:
    """How many inputs of a model all workers have scored."""
    return int(sum(counted[CONFIDENCE, model][: len(CONFIDENCES) + 1]))


def _compared(model: ServedModel) -> DriftResponse:
    return model.drift.state(model.ref, model.manifest.labels)
