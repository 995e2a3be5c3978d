"""Runs the service as one process, or as several workers that listen on one port."""

import functools
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from service.contract.errors import DemurError, FileError
from service.http.server.addresses import bind
from service.http.server.fast_lane import FastLaneProtocol
from service.http.server.hangup import Hangup
from service.http.server.heap import map_large_blocks
from service.http.server.open_files import allow_connections
from service.http.server.stopping import DrainingServer, Supervisor
from service.monitoring.metrics.tallies import Tallies
from service.monitoring.monitor import Monitor
from service.monitoring.requests.logs import configure
from service.monitoring.worker_slot import ALONE, WorkerSlot, claim
from service.settings import Settings

_log = logging.getLogger("demur")

CreateApp = Callable[[Settings, WorkerSlot], FastAPI]


def serve(settings: Settings, create_app: CreateApp) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status: 0 after a graceful stop, 1 when the start failed.

    Raises ModelError or SettingsError, also for an address that cannot be used, before the application starts.
    `create_app` is called in every worker.
    """
    hangup = Hangup()
    map_large_blocks()
    configure(settings.log_format, settings.log_level, shared=settings.workers > 1)
    allow_connections(settings.max_connections)  # workers inherit it
    # Each of several workers makes an application of its own; this one shows first that it can be made.
    app = create_app(settings, ALONE)
    with bind(settings.host, settings.port) as sockets:
        _freeze_and_collect()
        if settings.workers == 1:
            return _serve_alone(app, settings, sockets, hangup)
        return _serve_together(app, settings, create_app, sockets, hangup)


def _serve_alone(app: FastAPI, settings: Settings, sockets: Sequence[socket.socket], hangup: Hangup) -> int:
    # uvicorn stops gracefully on these signals, then raises them again for the handlers that were there before it.
    # With the default ones a clean stop would end as if killed.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: sys.exit(0))
    try:
        DrainingServer(_config(app, settings), settings.drain_seconds, hangup).run([*sockets])
    except SystemExit as end:  # ours after a signal, or uvicorn's when the application does not start
        return 1 if end.code else 0
    return 0


def _serve_together(
    app: FastAPI, settings: Settings, create_app: CreateApp, sockets: Sequence[socket.socket], hangup: Hangup
) -> int:
    """Under uvicorn's supervisor, which replaces a worker that dies. `app` is like that of each worker."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="demur-")
    except OSError as error:
        raise FileError(
            f"cannot make a folder for the counts that workers share: {error}. "
            "Free some space, name another folder in TMPDIR, or serve with one worker (DEMUR_WORKERS=1)"
        ) from None
    with folder as directory:
        _reserve_counts(app, settings, Path(directory))
        config = _config(functools.partial(_app_of_worker, settings, create_app, Path(directory)), settings)
        Supervisor(config, [*sockets], settings.drain_seconds, hangup).run()
    return 0


def _reserve_counts(app: FastAPI, settings: Settings, directory: Path) -> None:
    """Make the files of all counts, so that no worker finds the disk full. Raises FileError if it is."""
    for index in range(settings.workers):
        slot = WorkerSlot(directory, index, settings.workers)
        Tallies(slot)
    for monitor in app.state.registry.monitors().values():
        if monitor is not None:
            Monitor.of(monitor.model, monitor.manifest, monitor.default_policy, settings, slot)


def _app_of_worker(settings: Settings, create_app: CreateApp, directory: Path) -> FastAPI:
    """The application of a worker; called in its process."""
    map_large_blocks()
    threading.Thread(target=_stop_with_the_parent, daemon=True).start()
    configure(settings.log_format, settings.log_level, shared=True)
    try:
        app = create_app(settings, claim(directory, settings.workers))
    except DemurError as error:
        _log.error("a worker cannot start: %s", error)
        sys.exit(1)
    _freeze_and_collect()
    return app


def _stop_with_the_parent() -> None:
    """End this worker when the supervisor is killed: it would hold the port for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGINT)  # no drain: the next service needs the port


def _config(app: object, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # an application, or a function that makes one in each worker
        factory=settings.workers > 1,
        workers=settings.workers,
        http=FastLaneProtocol,
        ws="none",
        host=settings.host,
        port=settings.port,
        log_config=None,  # uvicorn logs where everything else does
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def _freeze_and_collect() -> None:
    """Turn the collector on. It never looks at what exists now: almost all of it stays as long as the process."""
    gc.freeze()
    gc.enable()
