"""A connection that bounds what a slow or hostile client can hold, in time and in memory.

uvicorn waits without limit for a client that has begun to send a request or to receive an answer, and does not read
the body of a request that offers another protocol, as Java's clients do with HTTP/2. Here

- a request that has not arrived in time is answered 408, and its connection closed. The application does that once it
  has begun (`request_limits.py`), the connection before;
- a connection is closed if its client does not receive an answer in time;
- a connection without a request is closed, even if it has sent something;
- the headers of a request, and the requests sent ahead of their answers, are limited in number;
- a connection over the limit is refused (`surplus.py`);
- an offer of another protocol is ignored;
- a request that breaks HTTP's rules is answered 400 at once, and its connection closed.
"""

import asyncio
import socket
import struct
import time
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.contract.errors import MalformedBody, NotSent
from service.http.middleware.request_limits import BEGAN, BROKEN
from service.http.request_id import request_id_of
from service.http.server.answer_writes import AnswerWrites
from service.http.server.connections import STATE, Connections
from service.http.server.head_rules import HeadError, checked
from service.http.server.refusals import Refusal
from service.monitoring.requests.exchange import UNMATCHED, Exchange

# Checked after each piece of a request's head, so a head that arrives in one piece may have more.
MAX_HEADERS, MAX_HEADER_BYTES = 1000, 64 * 1024
# Requests that a connection may send before the answer to the first of them. Each takes some KB.
MAX_PIPELINED = 32


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.guard: Connections = self.app_state[STATE]
        self.began = self._idle_since = time.perf_counter()  # `began` is the start of the latest request
        self.in_head = False  # the head of a request is arriving
        self.receiving = False  # a request is arriving, its head or its body
        self.headers, self.url = [], b""
        self._head_bytes = 0
        self._offers_upgrade = False  # the head that has arrived does
        self.closing = False  # nothing more is read
        self._running: RequestResponseCycle | None = None
        self._unread_since: float | None = None  # when an answer was first seen waiting for the client

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the connection."""
        super().connection_made(transport)
        self.guard.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release all that the connection held."""
        self.guard.closed(self)
        if self.transport is not None:  # None if a surplus protocol took the connection over
            if self._running is not None:  # uvicorn only tells the cycle of the latest request
                self._running.disconnected = True
                self._running.message_event.set()
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, within the limits."""
        if self.closing:
            self.flow.pause_reading()
            return
        in_head = self.in_head
        try:
            self._parse(data)
        except HttpParserError as error:
            self._refuse(_malformed(_reason(error)))
            return
        if self.receiving and not self.closing:
            self._head_bytes = self._head_bytes + len(data) if in_head and self.in_head else 0
            if self._head_bytes > MAX_HEADER_BYTES or len(self.headers) > MAX_HEADERS:
                self.guard.metrics.reject("header_size")
                detail = f"the headers are too large: at most {MAX_HEADERS} headers and {MAX_HEADER_BYTES} bytes"
                self._refuse(Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail))

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _TooManyError  # stops the parser
        self.began = time.perf_counter()
        self.in_head = self.receiving = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header of the head; what follows the body is ignored."""
        if self.in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Check the head, and start the application."""
        method, version = self.parser.get_method().decode(), self.parser.get_http_version()
        if self.parser.should_upgrade():
            if method == "CONNECT":
                raise HeadError("CONNECT is not supported: this is no proxy")
            self._offers_upgrade = True
            return
        self.in_head = False
        self.url, changed = checked(self.url, method, version, self.headers)
        if changed is not None:
            self.headers[:] = changed  # the scope has the same list
        self.scope["state"][BEGAN] = self.began
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request has arrived."""
        if self._offers_upgrade:
            return
        self.receiving = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's, but without a timer for each answer: `check` finds idle connections."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._idle_since = time.perf_counter()
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more; it may still wait for its answers. Returns whether the connection stays open."""
        waits = self.is_busy() and not self.receiving
        if waits:
            self.cycle.keep_alive = False  # the last answer closes the connection
        return waits

    def check(self, now: float) -> None:
        """Close the connection if it has exceeded a time limit. Called once a second."""
        if self.transport.get_write_buffer_size():
            if self._unread_since is None or self.began > self._unread_since:  # a new request: the last was read
                self._unread_since = now
            elif now - self._unread_since >= self.guard.request_seconds:
                self.guard.metrics.reject("request_seconds")
                _reset(self.transport)
            return
        self._unread_since = None
        if self.is_busy() or self.transport.is_closing():
            return
        if self.receiving:
            if now - self.began >= self.guard.request_seconds:
                self.guard.metrics.reject("request_seconds")
                self._refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, str(NotSent(self.guard.request_seconds))))
        elif now - self._idle_since >= self.guard.keep_alive_seconds:
            self.transport.close()  # even if it has sent something that is not a request

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        cycle.transport = AnswerWrites(self.transport, cycle.scope["method"])
        super()._start_asgi_task(cycle, app)

    def is_busy(self) -> bool:
        """Whether the application has yet to answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def _parse(self, data: bytes) -> None:
        """Feed the parser. It takes what follows an offer of another protocol for that protocol.

        So a new parser gets the same head again, without the offer, and all that follows.
        """
        while True:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                self._offers_upgrade = False
                method, version = self.parser.get_method(), self.parser.get_http_version().encode()
                lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
                head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(lines))
                self.parser = HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
                data = head + data[upgrade.args[0] :]
            else:
                return

    def _refuse(self, refusal: Refusal) -> None:
        """Answer the request that is arriving, and close the connection."""
        self.closing = True
        if self.is_busy():  # earlier requests are answered first, and the last answer closes the connection
            self.cycle.keep_alive = False
            if self._is_begun():
                self.scope["state"][BROKEN] = MalformedBody(refusal.detail)
                self.cycle.message_event.set()
            return
        if not self._is_begun():  # else it was answered before all of its body arrived
            request_id, path = request_id_of(dict(reversed(self.headers))), self._path_so_far()
            self.transport.write(refusal.response(request_id, path, self.server_state.default_headers, close=True))
            seconds = time.perf_counter() - self.began
            method = self.parser.get_method().decode("latin-1") if self.url else "unknown"
            self.guard.observers.add(
                Exchange(
                    request_id, None, method, path, UNMATCHED, refusal.status, time.time() - seconds, seconds, None
                )
            )
        self.transport.close()

    def _is_begun(self) -> bool:
        """Whether the application has begun the request that is arriving."""
        arrives = self.receiving and not self.in_head
        return arrives and self.cycle is not None and self.cycle.scope is self.scope

    def _path_so_far(self) -> str:
        return self.url.partition(b"?")[0].decode("latin-1")


def _reset(transport: asyncio.Transport) -> None:
    """Reset a connection: the kernel would hold megabytes for its client, for minutes."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _reason(error: HttpParserError) -> str:
    """Why the parser stopped: what one of our callbacks found, or what it found itself."""
    cause = error.__context__
    if isinstance(cause, HeadError):
        return str(cause)
    return f"the request is not valid HTTP: {str(error) or 'unknown'}"


@lru_cache(maxsize=64)
def _malformed(detail: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, detail)


class _TooManyError(Exception):
    """More requests than a connection may send ahead of their answers."""
