"""Which models are served now: the one place that says so. Whoever answers a request asks it once."""

import logging
import sqlite3

from service.inference.predictor import Predictor
from service.monitoring.monitor import Monitor
from service.registry.served_model import Models, ServedModel

_log = logging.getLogger("demur")


class Registry:
    """The models of now. What changes them is called on the event loop, so between two requests or parts of them.

    A request goes on with the model that it has got, so that no answer is of two versions.
    """

    def __init__(self, models: Models) -> None:
        self.models = models  # which is never changed, but replaced
        self.lane: dict[bytes, Predictor] = models.predictors()  # what the fast lane answers, by the paths
        self.refused: set[str] = set()  # the names of those in whose place a file lies that may not serve
        self._in_lane = True

    def put(self, name: str, model: ServedModel | None) -> None:
        """Serve this model under its name from now on, instead of the one that was there. None is one not ready."""
        self._replace(self.models.with_model(name, model))

    def drop(self, name: str) -> None:
        """Serve no model under this name any more."""
        self._replace(self.models.without(name))
        self.refused.discard(name)

    def leave_lane(self) -> None:
        """From now on the application answers all. May be called by a signal handler."""
        self._in_lane = False
        self.lane.clear()

    def has_feedback(self) -> bool:
        """Whether `settle_feedback` may find anything."""
        return any(model.monitor.feedback.has_work() for model in self.models.ready())

    def settle_feedback(self) -> None:
        """Put what was audited into the stores, and judge what can be judged. May be called in any thread."""
        for model in self.models.ready():
            try:
                model.monitor.feedback.settle()
            except sqlite3.Error as error:  # what waits is kept, and tried again
                _log.error("the feedback on model %s cannot be kept: %s", model.ref.name, error)

    def monitors(self) -> dict[str, Monitor | None]:
        """The monitors of the models of now."""
        return self.models.monitors()

    def _replace(self, models: Models) -> None:
        self.models = models
        self.lane.clear()
        if self._in_lane:
            self.lane.update(models.predictors())
