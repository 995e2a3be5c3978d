"""What a scrape of `/metrics` looks at, and what it remembers of the scrapes before it."""

import threading
import time
from collections.abc import Sequence

from service.models import ServedModel
from service.monitoring.place import Place
from service.observability.metrics import CONFIDENCE, CONFIDENCES, Metrics
from service.observability.tallies import Numbers
from service.schemas.drift import DriftResponse
from service.serving import Serving

# The exact tests of drift take some milliseconds a model. Those of many models are made in turn, a few a scrape.
_DRIFT_SECONDS = 0.002


class Scrape:
    """What all workers have counted, and what this one knows of its models. Whoever looks holds its lock."""

    def __init__(self, metrics: Metrics, serving: Serving, place: Place) -> None:
        self.metrics = metrics
        self.serving = serving
        self.workers = place.workers
        self.lock = threading.Lock()
        # By name and version: how many inputs had been seen; the longest ago first.
        self._drift: dict[tuple[str, str], tuple[int, DriftResponse]] = {}

    def drift(self, models: Sequence[ServedModel], counted: Numbers) -> list[DriftResponse]:
        """How the inputs of each model compare with its reference; of many models, some of them a few scrapes ago."""
        until = time.perf_counter() + _DRIFT_SECONDS
        ready = {(model.ref.name, model.ref.version): model for model in models}
        for gone in self._drift.keys() - ready.keys():
            del self._drift[gone]
        for key in [*(ready.keys() - self._drift.keys()), *self._drift]:
            seen = _inputs(counted, key[0])
            if key in self._drift and self._drift[key][0] == seen:
                continue
            self._drift.pop(key, None)
            self._drift[key] = seen, _compared(ready[key])
            if time.perf_counter() > until:
                break
        return [found for _, found in self._drift.values()]


def _inputs(counted: Numbers, model: str) -> int:
    """How many inputs of a model all workers have scored."""
    return int(sum(counted.get((CONFIDENCE, model), [0])[: len(CONFIDENCES) + 1]))


def _compared(model: ServedModel) -> DriftResponse:
    return model.drift.state(model.ref, model.manifest.labels)
