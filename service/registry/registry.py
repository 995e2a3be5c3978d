"""The models that are served now. A request looks its model up once and keeps it to the end."""

import logging
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from service.monitoring.monitor import Monitor
from service.registry.served_model import Models, ServedModel

_log = logging.getLogger("demur")


class Registry:
    """Holds the current models, and replaces them between two requests.

    Methods that change it are called on the event loop. A request goes on with the model that it began with, so no
    answer mixes two versions.
    """

    def __init__(self, models: Models, endpoints: Callable[[Models], Mapping[bytes, Any]]) -> None:
        """`endpoints` says what answers each path of the fast lane."""
        self.models = models  # immutable: replaced as a whole
        self.lane = dict(endpoints(models))
        self._endpoints = endpoints
        self.refused: set[str] = set()  # names of the models whose new file was refused
        self._in_lane = True

    def put(self, name: str, model: ServedModel | None) -> None:
        """Serve this model under its name from now on. None marks the name as not ready."""
        self._replace(self.models.with_model(name, model))

    def drop(self, name: str) -> None:
        """Stop serving the model of this name."""
        self._replace(self.models.without(name))
        self.refused.discard(name)

    def leave_lane(self) -> None:
        """Close the fast lane, so that the application answers every request. May be called by a signal handler."""
        self._in_lane = False
        self.lane.clear()

    def has_feedback(self) -> bool:
        """Whether `settle_feedback` has work to do."""
        return any(model.monitor.feedback.has_work() for model in self.models.ready())

    def settle_feedback(self) -> None:
        """Store the audited answers, and judge the feedback that is due. May be called in any thread."""
        for model in self.models.ready():
            try:
                model.monitor.feedback.settle()
            except sqlite3.Error as error:  # the feedback is kept in memory and tried again
                _log.error("cannot store feedback on model %s: %s", model.ref.name, error)

    def monitors(self) -> dict[str, Monitor | None]:
        """The monitors of the current models."""
        return self.models.monitors()

    def _replace(self, models: Models) -> None:
        self.models = models
        self.lane.clear()
        if self._in_lane:
            self.lane.update(self._endpoints(models))
