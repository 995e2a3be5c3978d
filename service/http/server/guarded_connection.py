"""A connection whose client may be slow, or may not mean well: what it holds is bounded in time and in memory.

uvicorn waits for whoever has begun to send a request or to take an answer for as long as that takes. Here

- a request that has not come as a whole in time is answered 408, and its connection ends. The application does that
  where it has begun (`request_limits.py`), and this where it has not;
- an answer that is not taken in time ends with its connection;
- a connection on which no request comes ends, though it may have sent something;
- headers, and requests that are sent before the answers to those before them, are bounded in number;
- one connection more than there may be is answered 503, and ends.
"""

import asyncio
import socket
import struct
import time
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.contract.errors import NotSent
from service.http.middleware.request_limits import BEGAN
from service.http.request_id import request_id_of
from service.http.server.answer_writes import AnswerWrites
from service.http.server.connections import STATE, Connections
from service.http.server.refusals import Refusal
from service.monitoring.requests.exchange import UNMATCHED, Exchange

# More of either is refused as soon as it is seen, which is where the head of a request comes in several pieces.
MAX_HEADERS, MAX_HEADER_BYTES = 1000, 64 * 1024
# Requests that a connection may have sent before the answer to the first of them. Each takes some KB.
MAX_PIPELINED = 32
_SURPLUS_SECONDS = 1.0


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.guard: Connections = self.app_state[STATE]
        self.began = self._since = time.perf_counter()  # of the request that came last; of the time without one
        self.in_head = False  # of a request
        self.receiving = False  # a request, its head or its body
        self._head_bytes = 0
        self._over = False  # it ends, and nothing that comes is read
        self._running: RequestResponseCycle | None = None
        self._untaken_since: float | None = None  # when an answer was first seen to wait for the client

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep it, or turn it away."""
        if self.guard.full():
            surplus = _Surplus(self.guard, transport)
            if self.guard.turn_away(surplus):
                transport.set_protocol(surplus)
            else:
                transport.abort()
            return
        super().connection_made(transport)
        self.guard.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone, with all that it held."""
        self.guard.closed(self)
        if self.transport is not None:  # which it is where it was turned away
            if self._running is not None:  # uvicorn tells the cycle of the last request alone
                self._running.disconnected = True
                self._running.message_event.set()
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse it, as long as it is not too much."""
        if self._over:
            self.flow.pause_reading()
            return
        in_head = self.in_head
        super().data_received(data)
        if self.receiving and not self._over:
            self._head_bytes = self._head_bytes + len(data) if in_head and self.in_head else 0
            if self._head_bytes > MAX_HEADER_BYTES or len(self.headers) > MAX_HEADERS:
                self.guard.metrics.reject("header_size")
                detail = (
                    f"the head of the request is too large: {MAX_HEADERS} headers, {MAX_HEADER_BYTES} bytes at most"
                )
                self._refuse(Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail))

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _TooManyError  # which stops the parser
        self.began = time.perf_counter()
        self.in_head = self.receiving = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Tell the application when the request began."""
        self.in_head = False
        self.scope["state"][BEGAN] = self.began
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is there."""
        self.receiving = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's, but that it sets no timer for each answer: `look` sees which connection is not used."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._since = time.perf_counter()
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def send_400_response(self, msg: str) -> None:
        """Called where the parser stops."""
        self._over = True
        if self._is_busy():  # what has come before is answered first, and the last answer ends the connection
            self.cycle.keep_alive = False
        else:
            super().send_400_response(msg)

    def look(self, now: float) -> None:
        """End what has taken too long. Called once a second."""
        if self.transport.get_write_buffer_size():
            if self._untaken_since is None or self.began > self._untaken_since:  # a new request: the last was taken
                self._untaken_since = now
            elif now - self._untaken_since >= self.guard.request_seconds:
                self.guard.metrics.reject("request_seconds")
                _reset(self.transport)
            return
        self._untaken_since = None
        if self._is_busy() or self.transport.is_closing():
            return
        if self.receiving:
            if now - self.began >= self.guard.request_seconds:
                self.guard.metrics.reject("request_seconds")
                self._refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, str(NotSent(self.guard.request_seconds))))
        elif now - self._since >= self.guard.keep_alive_seconds:
            self.transport.close()  # though it may have sent something, which is no request

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        cycle.transport = AnswerWrites(self.transport, cycle.scope["method"])
        super()._start_asgi_task(cycle, app)

    def _is_busy(self) -> bool:
        """Whether the application owes an answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, refusal: Refusal) -> None:
        """Answer the request that is coming, and end the connection."""
        self._over = True
        if self._is_busy():
            self.cycle.keep_alive = False
            return
        if not self._is_answered():
            request_id, path = request_id_of(dict(reversed(self.headers))), self._path_so_far()
            self.transport.write(refusal.written(request_id, path, self.server_state.default_headers, close=True))
            seconds = time.perf_counter() - self.began
            method = self.parser.get_method().decode("latin-1") if self.url else "unknown"
            self.guard.observers.add(
                Exchange(
                    request_id, None, method, path, UNMATCHED, refusal.status, time.time() - seconds, seconds, None
                )
            )
        self.transport.close()

    def _is_answered(self) -> bool:
        """Whether the request has been answered, though not all of its body has come."""
        return not self.in_head and self.cycle is not None and self.cycle.scope is self.scope

    def _path_so_far(self) -> str:
        return self.url.partition(b"?")[0].decode("latin-1")


def _reset(transport: asyncio.Transport) -> None:
    """End a connection with all that the kernel holds for its client, which may be megabytes, for minutes."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class _TooManyError(Exception):
    """More requests than a connection may have sent before their answers."""


class _Surplus(asyncio.Protocol):
    """A connection too many: it is told so when it asks, since what it is told before may be lost with its request."""

    def __init__(self, guard: Connections, transport: asyncio.Transport) -> None:
        self._guard = guard
        self._transport = transport
        self._began = time.perf_counter()

    def data_received(self, data: bytes) -> None:
        """Whatever it asks, refuse it."""
        if not self._transport.is_closing():
            words = data[:200].split(b" ")
            path = words[1].decode("latin-1") if len(words) > 1 else ""
            self._transport.write(self._guard.crowded.written(request_id_of({}), path, (), close=True))
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """It is gone."""
        self._guard.closed(self)

    def look(self, now: float) -> None:
        """End it where it asks nothing, or does not take its refusal."""
        if now - self._began >= _SURPLUS_SECONDS:
            self._transport.abort()
