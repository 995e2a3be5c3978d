"""Signals: uvicorn's server and its supervisor of workers, changed to drain before they stop.

On SIGTERM uvicorn closes its sockets at once. Here the first SIGTERM begins the drain. SIGINT, or a second signal, ends
it: no more connections are accepted, and requests in flight are finished. One more signal drops those too. Among
workers only the supervisor counts signals: a worker may get each of them twice, from the supervisor and from a terminal
or systemd, which signal the whole process group.
"""

import asyncio
import logging
import math
import os
import select
import signal
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from types import FrameType

import uvicorn
from uvicorn.supervisors import Multiprocess, multiprocess

from service.http import drain
from service.http.server.hangup import HANGUP, RELOADER, Hangup, held
from service.monitoring.requests.log_writer import standard_output
from service.registry.reload import Reloader

# How long connections that are open at the end of the drain may take to send their request.
_LAST_SECONDS = 1.0
# How long threads of the pool may take to notice that there is no more work.
_IDLE_SECONDS = 0.1
# How long a worker may take to start before it counts as hung.
_START_SECONDS = 60

_log = logging.getLogger("demur")


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which keeps answering for `drain_seconds` after SIGTERM.

    Without a `hangup` it is the server of a worker, whose supervisor counts the signals.
    """

    def __init__(self, config: uvicorn.Config, drain_seconds: float, hangup: Hangup | None = None) -> None:
        super().__init__(config)
        self._hangup = hangup
        self._drain_seconds = drain_seconds
        self._is_worker = hangup is None
        self._drain_until: float | None = None  # on the clock of `time.monotonic`
        self._logged = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called at a signal, which may come between any two instructions: nothing may be logged here."""
        if self.should_exit:
            self.force_exit = not self._is_worker
        elif sig == signal.SIGTERM and self._drain_seconds > 0 and self._drain_until is None:
            self._drain_until = time.monotonic() + self._drain_seconds
            if self.started:
                self.lifespan.state[drain.STATE].begin()
        elif sig != signal.SIGTERM or self._drain_until is None or not self._is_worker:
            self._drain_until = None
            if self._is_worker:
                self.should_exit = True  # uvicorn would raise the signal again at the end, which would kill the process
            else:
                super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and from then on look at the models' files at SIGHUP."""
        await super().startup(sockets)
        reloader: Reloader = self.lifespan.state[RELOADER]
        (self._hangup or Hangup()).watch(reloader.request_check)

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; returns whether to stop."""
        until = self._drain_until
        if until is not None:
            if not self._logged:
                self._logged = True
                self.lifespan.state[drain.STATE].begin()  # in case the signal came before the start was complete
                _log.info("draining for %g seconds: /readyz answers 503", self._drain_seconds)
            if time.monotonic() >= until:
                self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening; after a drain wait for the last requests of open connections; then stop as uvicorn does."""
        await self._stop_listening()
        until = time.monotonic() + (_LAST_SECONDS if self._drain_until is not None else 0)
        while self.server_state.connections and not self.force_exit and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # uvicorn keeps a set of them, without an event
        await super().shutdown(sockets)

    async def _stop_listening(self) -> None:
        """Close the sockets once their queues are empty: closing resets a connection that is still queued."""
        until = time.monotonic() + _LAST_SECONDS
        for server in self.servers:
            listening = [listener.fileno() for listener in server.sockets]
            while select.select(listening, [], [], 0)[0] and time.monotonic() < until:  # noqa: ASYNC110
                await asyncio.sleep(0)  # lets the event loop accept them
            server.close()


def end(status: int) -> int:
    """Return `status`. If threads still work for clients, end the process with it: Python would wait for them."""
    until = time.monotonic() + _IDLE_SECONDS
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0, until - time.monotonic()))
            if thread.is_alive():
                standard_output().flush()
                os._exit(status)
    return status


class Supervisor(Multiprocess):
    """uvicorn's supervisor, for workers that drain."""

    def __init__(
        self,
        config: uvicorn.Config,
        sockets: list[socket.socket],
        drain_seconds: float,
        stop_seconds: float,
        hangup: Hangup,
    ) -> None:
        """`stop_seconds` is how long the workers may take after the drain."""
        super().__init__(config, sockets)
        self._drain_seconds = drain_seconds
        self._stop_seconds = stop_seconds
        self._kill_at = math.inf  # on the clock of `time.monotonic`
        self._hangup = hangup
        self._sent: signal.Signals | None = None  # the last signal to stop that the workers got
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, self._pass_on)

    def init_processes(self) -> None:
        """Start the workers."""
        _Worker.drain_seconds = self._drain_seconds
        multiprocess.Process = _Worker  # type: ignore[misc]  # the class that uvicorn starts; there is no setting
        super().init_processes()
        if HANGUP is not None:
            self._hangup.watch(partial(self._send, HANGUP))

    def keep_subprocess_alive(self) -> None:
        """Replace a worker that has died, unless the workers are stopping."""
        if self._sent is None:
            super().keep_subprocess_alive()

    def handle_hup(self) -> None:
        """Called for a SIGHUP that came before `watch`. uvicorn would restart all workers."""
        if HANGUP is not None:
            self._send(HANGUP)

    def terminate_all(self) -> None:
        """Called when no more workers will be started."""
        self._stop_listening()
        self._send(self._sent or signal.SIGINT)
        self._kill_at = min(self._kill_at, time.monotonic() + self._drain_seconds + self._stop_seconds)

    def join_all(self) -> None:
        """Wait for the workers, and kill those that take longer than they may."""
        for process in self.processes:
            while process.exitcode is None and process.pid is not None and time.monotonic() < self._kill_at:
                process.process.join(timeout=1)  # a further signal may change the time
            if process.exitcode is None and process.pid is not None:
                _log.error("worker %d has not stopped in time, and is killed", process.pid)
                process.kill()
        super().join_all()

    def _pass_on(self, sig: int, _: FrameType | None) -> None:
        """Signal the workers at once: uvicorn would only do so at its next look, twice a second."""
        if self._sent is None and sig == signal.SIGTERM and self._drain_seconds > 0:
            self._sent = signal.SIGTERM
        elif self._sent in (None, signal.SIGTERM):
            self._sent = signal.SIGINT
        else:
            self._sent = signal.SIGKILL
        drain_seconds = self._drain_seconds if self._sent == signal.SIGTERM else 0
        self._kill_at = time.monotonic() + drain_seconds + self._stop_seconds
        _Worker.stopping = True
        self._send(self._sent)
        self.signal_queue.append(sig)
        if not _Worker.starting:
            self._stop_listening()

    def _stop_listening(self) -> None:
        """Close the supervisor's own sockets: once the workers have closed theirs, nobody would accept from them."""
        for listening in self.sockets:
            listening.close()

    def _send(self, sig: signal.Signals) -> None:
        for process in self.processes:
            if process.pid is not None and process.exitcode is None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, sig)


class _Worker(multiprocess.Process):
    """uvicorn's process of a worker, with our server in it."""

    drain_seconds = 0.0
    starting = False  # whether a worker is being given the sockets just now
    stopping = False  # whether no more workers may start

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        self.own_drain_seconds = self.drain_seconds  # an attribute of the instance goes to the process
        self.answered = False  # a ping, which a worker cannot answer while it starts
        self.start_deadline = time.monotonic() + _START_SECONDS
        super().__init__(config, sockets)

    def start(self) -> None:
        _Worker.starting = True
        try:
            if not _Worker.stopping:  # a signal may have come while uvicorn waited for the end of the last worker
                with held():  # SIGHUP would end a worker that has no handler yet
                    super().start()
        finally:
            _Worker.starting = False

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        super().target(sockets)
        end(0)

    def join(self) -> None:
        if self.pid is not None:
            super().join()

    def is_alive(self, timeout: float = 5) -> bool:
        """As uvicorn's, but a worker may take longer to start than to answer, as where many start at once."""
        if not self.answered and time.monotonic() < self.start_deadline:
            self.answered = self.process.is_alive() and self.ping(timeout=0.1)
            return self.process.is_alive()
        return super().is_alive(timeout)

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = DrainingServer(self.config, self.own_drain_seconds)
        return self._server
