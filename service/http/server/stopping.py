"""What signals do: uvicorn's server, which closes its sockets at once on SIGTERM, and its supervisor, taught to drain.

The first SIGTERM begins the drain. SIGINT, or a second signal, ends it: no more connections are taken, and requests in
flight are finished. One signal more drops those too. Of several workers the supervisor does the counting: a worker may
be told the same twice, by it and by whoever tells a whole group of processes, as a terminal or systemd does.
"""

import asyncio
import logging
import os
import select
import signal
import socket
import time
from contextlib import suppress
from functools import partial
from types import FrameType

import uvicorn
from uvicorn.supervisors import Multiprocess, multiprocess

from service.http import drain
from service.http.server.hangup import HANGUP, RELOADER, Hangup, held
from service.registry.reload import Reloader

# How long connections that are open at the end of the drain may take to send what they were opened for.
_LAST_SECONDS = 1.0
# How long a worker may take to start before it counts as hung.
_START_SECONDS = 60

_log = logging.getLogger("demur")


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which answers `drain_seconds` more after SIGTERM.

    Without a `hangup` it is that of a worker, which does not count signals: its supervisor does.
    """

    def __init__(self, config: uvicorn.Config, drain_seconds: float, hangup: Hangup | None = None) -> None:
        super().__init__(config)
        self._hangup = hangup
        self._drain_seconds = drain_seconds
        self._worker = hangup is None
        self._drain_until: float | None = None  # on the clock of `time.monotonic`
        self._said = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called with a signal. It may come between any two steps, so that nothing is logged here."""
        if self.should_exit:
            self.force_exit = not self._worker
        elif sig == signal.SIGTERM and self._drain_seconds > 0 and self._drain_until is None:
            self._drain_until = time.monotonic() + self._drain_seconds
            if self.started:
                self.lifespan.state[drain.STATE].begin()
        elif sig != signal.SIGTERM or self._drain_until is None or not self._worker:
            self._drain_until = None
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does; then SIGHUP means the models' files."""
        await super().startup(sockets)
        reloader: Reloader = self.lifespan.state[RELOADER]
        # Of several workers the supervisor is told as well when the terminal is closed, and ends them.
        stop = reloader.ask if self._worker else partial(self.handle_exit, signal.SIGINT, None)
        (self._hangup or Hangup()).watch(reloader.ask, stop)

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; returns whether to stop."""
        until = self._drain_until
        if until is not None:
            if not self._said:
                self._said = True
                self.lifespan.state[drain.STATE].begin()  # again, but where the signal came before the start was over
                _log.info("draining for %g seconds: /readyz says 503", self._drain_seconds)
            if time.monotonic() >= until:
                self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take what is connected, but no more; after a drain wait until it has asked; then stop as uvicorn does."""
        await self._stop_listening()
        until = time.monotonic() + (_LAST_SECONDS if self._drain_until is not None else 0)
        while self.server_state.connections and not self.force_exit and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # uvicorn keeps a set, and has no event for it
        await super().shutdown(sockets)

    async def _stop_listening(self) -> None:
        """Close the sockets when nobody waits at them: a connection that waits there when they are closed is reset."""
        until = time.monotonic() + _LAST_SECONDS
        for server in self.servers:
            listening = [found.fileno() for found in server.sockets]
            while select.select(listening, [], [], 0)[0] and time.monotonic() < until:  # noqa: ASYNC110
                await asyncio.sleep(0)  # in which the event loop accepts them
            server.close()


class Supervisor(Multiprocess):
    """uvicorn's supervisor of workers that drain."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], drain_seconds: float, hangup: Hangup
    ) -> None:
        super().__init__(config, sockets)
        self._drain_seconds = drain_seconds
        self._hangup = hangup
        self._told: signal.Signals | None = None
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, self._pass_on)

    def init_processes(self) -> None:
        """Start the workers."""
        _Worker.drain_seconds = self._drain_seconds
        multiprocess.Process = _Worker  # type: ignore[misc]  # what uvicorn starts: it has no setting for it
        super().init_processes()
        if HANGUP is not None:
            self._hangup.watch(partial(self._tell, HANGUP), partial(self._pass_on, signal.SIGINT, None))

    def keep_subprocess_alive(self) -> None:
        """Start a worker again where one has died, but not where they are to end."""
        if self._told is None:
            super().keep_subprocess_alive()

    def handle_hup(self) -> None:
        """Called for one that came before it was watched. uvicorn would start all workers anew."""
        if HANGUP is not None:
            self._tell(HANGUP)

    def terminate_all(self) -> None:
        """Called when no worker will be started any more."""
        self._stop_listening()
        self._tell(self._told or signal.SIGINT)

    def _pass_on(self, sig: int, _: FrameType | None) -> None:
        """Tell the workers at once: uvicorn looks for signals twice a second, and stops then."""
        if self._told is None and sig == signal.SIGTERM and self._drain_seconds > 0:
            self._told = signal.SIGTERM
        elif self._told in (None, signal.SIGTERM):
            self._told = signal.SIGINT
        else:
            self._told = signal.SIGKILL
        _Worker.stopping = True
        self._tell(self._told)
        self.signal_queue.append(sig)
        if not _Worker.starting:
            self._stop_listening()

    def _stop_listening(self) -> None:
        """When the workers have closed theirs, nobody would take what comes to ours, and to close it would reset it."""
        for listening in self.sockets:
            listening.close()

    def _tell(self, sig: signal.Signals) -> None:
        for process in self.processes:
            if process.pid is not None and process.exitcode is None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, sig)


class _Worker(multiprocess.Process):
    """uvicorn's process of a worker, with our server in it."""

    drain_seconds = 0.0
    starting = False  # whether one is given the sockets just now
    stopping = False  # whether none is to be started any more

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        self.drains = self.drain_seconds  # which goes to the process with the rest
        self.answered = False  # a ping, which it cannot while it starts
        self.patience_until = time.monotonic() + _START_SECONDS
        super().__init__(config, sockets)

    def start(self) -> None:
        _Worker.starting = True
        try:
            if not _Worker.stopping:  # the signal may have come while uvicorn waited for a worker that then ended
                with held():  # one that starts has nothing to reload, and would be ended by the signal
                    super().start()
        finally:
            _Worker.starting = False

    def join(self) -> None:
        if self.pid is not None:
            super().join()

    def is_alive(self, timeout: float = 5) -> bool:
        """As uvicorn asks, but that a start may take longer than an answer, as it does where many start at once."""
        if not self.answered and time.monotonic() < self.patience_until:
            self.answered = self.process.is_alive() and self.ping(timeout=0.1)
            return self.process.is_alive()
        return super().is_alive(timeout)

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = DrainingServer(self.config, self.drains)
        return self._server
