"""Assembles the application from its settings. Nothing is created at import time."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio import to_thread
from fastapi import FastAPI

import service
from service.contract.errors import SettingsError
from service.http import drain, endpoints, problems
from service.http.admission import Admission
from service.http.middleware.exchanges import ExchangeMiddleware
from service.http.middleware.request_limits import RequestLimitsMiddleware
from service.http.routes import openapi
from service.http.routes.router import router
from service.http.server import connections, fast_lane, hangup
from service.http.server.connections import Connections
from service.http.server.heap import trim_heap
from service.monitoring.metrics.metrics import Metrics
from service.monitoring.metrics.scrape import Scrape
from service.monitoring.metrics.tallies import Tallies
from service.monitoring.requests import request_log
from service.monitoring.requests.exchange import ExchangeObservers, Observer
from service.monitoring.requests.log_writer import standard_output
from service.monitoring.requests.logs import lines_for
from service.monitoring.worker_slot import ALONE, WorkerSlot
from service.registry import loading
from service.registry.registry import Registry
from service.registry.reload import Reloader
from service.registry.watch import FileWatcher
from service.settings import PREFIX, Settings

if TYPE_CHECKING:
    from service.http.access.gate import AccessGate

# Threads for work that would block the event loop. They share the interpreter: with anyio's default of forty, the loop
# would get one turn in forty, too few to answer even a probe in time, and each thread holds memory of its own.
_THREADS = max(4, os.cpu_count() or 1)
_SETTLE_SECONDS = 1.0  # between two turns of writing feedback


def create_app(settings: Settings, worker_slot: WorkerSlot = ALONE) -> FastAPI:
    """Load and prove the models, and build the application around them.

    Raises ModelError if a model may not serve, and SettingsError for a setting that contradicts a model: no socket has
    been opened then.
    """
    metrics = Metrics(Tallies(worker_slot))
    standard_output().count_lost(metrics.lose_log_lines)
    watcher = FileWatcher(settings)  # before the models are read, so that no change is missed
    loaded = loading.load(settings, worker_slot, metrics)
    registry = Registry(loaded, endpoints.of_models)
    app = FastAPI(
        title="Demur",
        version=service.__version__,
        docs_url=None,  # FastAPI's pages load scripts from other hosts; ours is in `web/pages.py`
        redoc_url=None,
        servers=[{"url": "."}],  # where the description itself is, also below a proxy's path
        root_path_in_servers=False,
        redirect_slashes=False,  # redirects would repeat the Host header, which a client can forge
        lifespan=_lifespan,
        telemetry={"tracing": False, "metrics": False},
    )
    app.state.settings = settings
    app.state.registry = registry
    app.state.reloader = Reloader(settings, worker_slot, metrics, registry, watcher)
    app.state.scrape = Scrape(metrics, registry, worker_slot)
    app.include_router(router)
    problems.install(app)
    openapi.install(app, registry)
    observers = ExchangeObservers([metrics, *_observers(settings)])
    app.state.observers = observers
    gate = _gate(settings, app)
    app.state.lane = fast_lane.Lane(registry.lane, observers, gate, settings.max_body_bytes)
    admission = Admission(settings.max_concurrent_requests, settings.max_bodies_bytes, metrics)
    app.state.connections = Connections(settings, admission, metrics, observers)
    app.state.drain = drain.Drain(metrics, registry)
    seconds = settings.request_seconds
    app.add_middleware(RequestLimitsMiddleware, admission=admission, metrics=metrics, seconds=seconds)
    if gate is not None:
        _add_gate(app, gate)  # outside the limits, so that a request without access takes up no capacity
    app.add_middleware(ExchangeMiddleware, observers=observers, metrics=metrics, drain=app.state.drain)
    return app


def _gate(settings: Settings, app: FastAPI) -> "AccessGate | None":
    """The gate of `app`'s routes; None, with nothing imported, where neither keys nor hosts are set.

    Raises SettingsError.
    """
    path, hosts = settings.api_keys, settings.trusted_hosts
    if path is None and hosts is None:
        return None
    from service.http.access import keys
    from service.http.access.gate import AccessGate, RouteScopes
    from service.http.access.hosts import Hosts

    return AccessGate(
        None if path is None else keys.read(path),
        None if hosts is None else Hosts.parse(hosts, f"{PREFIX}TRUSTED_HOSTS"),
        RouteScopes(app.routes),
    )


def _add_gate(app: FastAPI, gate: "AccessGate") -> None:
    from service.http.access.gate import GateMiddleware

    app.add_middleware(GateMiddleware, gate=gate)
    if gate.keys is not None:
        from service.http.routes import openapi_security

        openapi_security.install(app, gate.scopes)


def _observers(settings: Settings) -> Sequence[Observer]:
    """The observers besides the metrics: log and traces."""
    observers: list[Observer] = []
    if logging.getLogger(request_log.NAME).isEnabledFor(logging.ERROR):
        observers.append(request_log.RequestLog(lines_for(settings.log_format), standard_output()))
    if settings.traces:
        observers.append(_traces())
    return observers


def _traces() -> Observer:
    try:
        from service.monitoring.requests.traces import Traces
    except ModuleNotFoundError as error:
        raise SettingsError(f"{PREFIX}TRACES=true: {error.name} is missing: pip install '.[serve,traces]'") from None
    return Traces()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, object]]:
    """Run the background tasks; the state is what the server and its connections use of the application."""
    to_thread.current_default_thread_limiter().total_tokens = _THREADS
    open_connections: Connections = app.state.connections
    registry: Registry = app.state.registry
    jobs = (open_connections.watch(), trim_heap(), _settle_feedback(registry))
    tasks = [asyncio.create_task(job) for job in jobs]
    reloader: Reloader = app.state.reloader
    reloader.start()
    yield {
        fast_lane.STATE: app.state.lane,
        drain.STATE: app.state.drain,
        connections.STATE: open_connections,
        hangup.RELOADER: reloader,
    }
    reloader.stop()
    for task in tasks:
        task.cancel()
    registry.settle_feedback()
    app.state.observers.close()


async def _settle_feedback(registry: Registry) -> None:
    """Write and judge feedback every second, until cancelled."""
    while True:
        await asyncio.sleep(_SETTLE_SECONDS)
        if registry.has_feedback():
            await to_thread.run_sync(registry.settle_feedback)
