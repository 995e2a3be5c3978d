"""The assembly: settings in, a complete application out. Nothing is made at import time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import service
from service import models
from service.http import fast_lane, openapi, problems, v2
from service.http.exchanges import ExchangeMiddleware
from service.http.routes import router
from service.monitoring.place import ALONE, Place
from service.observability.exchange import Observer
from service.observability.metrics import Metrics
from service.observability.scrape import Scrape
from service.observability.tallies import Tallies
from service.settings import Settings

_MOST_NAMED = 5  # models, in the description


def create_app(settings: Settings, place: Place = ALONE) -> FastAPI:
    """Load and prove the models, and build the application around them.

    Raises ModelError when a model may not serve, and SettingsError for a setting that contradicts a model, so that no
    socket is ever opened for it. `place` is this process's among several workers.
    """
    metrics = Metrics(Tallies(place))
    loaded = models.load(settings, place, metrics)
    names = ", ".join(f"{model.ref.name} {model.ref.version}" for model in loaded.ready()[:_MOST_NAMED])
    more = "" if len(loaded.ready()) <= _MOST_NAMED else " and more"
    app = FastAPI(
        title="Demur",
        summary=f"Classifies with {names}{more}, and says when it does not know.",
        version=service.__version__,
        docs_url=None,  # their pages load scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,  # its redirects repeat the Host header, which a client may make up
        lifespan=_lifespan,
        telemetry={"tracing": False, "metrics": False},
    )
    app.state.settings = settings
    app.state.models = loaded
    app.state.scrape = Scrape(metrics, loaded, place)
    observers: tuple[Observer, ...] = (metrics,)
    app.state.observers = observers
    app.include_router(router)
    app.include_router(v2.router)
    problems.install(app)
    openapi.install(app, loaded)
    app.add_middleware(ExchangeMiddleware, observers=observers, metrics=metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, object]]:
    """What the protocol of a connection may know of the application."""
    yield {fast_lane.STATE: fast_lane.Lane(app.state.models.predictors(), app.state.observers)}
