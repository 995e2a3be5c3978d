"""The service as one process or as several that listen on one port."""

import functools
import gc
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from service.http.server.fast_lane import FastLaneProtocol
from service.http.server.hangup import Hangup
from service.http.server.heap import map_large_blocks
from service.http.server.open_files import allow_connections
from service.http.server.stopping import DrainingServer, Supervisor
from service.monitoring.requests.logs import configure
from service.monitoring.worker_slot import ALONE, WorkerSlot, claim
from service.settings import Settings

CreateApp = Callable[[Settings, WorkerSlot], FastAPI]


def serve(settings: Settings, create_app: CreateApp) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status: 0 after a graceful stop, 1 when it could not start.

    Raises ModelError or SettingsError before a socket is opened. `create_app` is called in every worker.
    """
    hangup = Hangup()
    map_large_blocks()
    configure(settings.log_format, settings.log_level)
    allow_connections(settings.max_connections)  # of workers too, which inherit it
    app = create_app(
        settings, ALONE
    )  # of several workers each makes its own, and none needs to start where this one cannot
    _collect_from_now_on()
    return (
        _serve_alone(app, settings, hangup) if settings.workers == 1 else _serve_together(settings, create_app, hangup)
    )


def _serve_alone(app: FastAPI, settings: Settings, hangup: Hangup) -> int:
    # uvicorn stops gracefully on these and then raises the signal again for whoever handled it before; with nobody
    # there, a clean stop would end as if killed.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: sys.exit(0))
    try:
        DrainingServer(_config(app, settings), settings.drain_seconds, hangup).run()
    except SystemExit as end:  # ours after a signal, or uvicorn's when it cannot listen, which has said why
        return 1 if end.code else 0
    return 0


def _serve_together(settings: Settings, create_app: CreateApp, hangup: Hangup) -> int:
    """Under uvicorn's own supervisor, which starts a worker again where one dies."""
    with tempfile.TemporaryDirectory(prefix="demur-") as directory:
        config = _config(functools.partial(_app_of_worker, settings, create_app, Path(directory)), settings)
        try:
            listening = config.bind_socket()
        except SystemExit:  # uvicorn's when it cannot listen, which has said why
            return 1
        with listening:
            Supervisor(config, [listening], settings.drain_seconds, hangup).run()
    return 0


def _app_of_worker(settings: Settings, create_app: CreateApp, directory: Path) -> FastAPI:
    """Called in each worker, when it starts."""
    map_large_blocks()
    threading.Thread(target=_stop_with_the_parent, daemon=True).start()
    configure(settings.log_format, settings.log_level)
    app = create_app(settings, claim(directory, settings.workers))
    _collect_from_now_on()
    return app


def _stop_with_the_parent() -> None:
    """A supervisor that is killed stops nobody: without it the workers would hold the port for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGINT)  # which does not wait: whoever comes next wants the port


def _config(app: object, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # an application, or what makes one in each worker
        factory=settings.workers > 1,
        workers=settings.workers,
        http=FastLaneProtocol,
        host=settings.host,
        port=settings.port,
        log_config=None,  # what uvicorn says goes where all goes
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def _collect_from_now_on() -> None:
    """What is there before the first request stays: the collector need not look through it again and again."""
    gc.freeze()
    gc.enable()
