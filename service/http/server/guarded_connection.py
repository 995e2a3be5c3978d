"""A connection that bounds what a slow or hostile client can hold, in time and in memory.

uvicorn waits without limit for a client that has begun to send a request or to receive an answer. Here

- a request that has not arrived in time is answered 408, and its connection closed. The application does that once it
  has begun (`request_limits.py`), the connection before;
- a connection is closed if its client does not receive an answer in time;
- a connection without a request is closed, even if it has sent something;
- the headers of a request, and the requests sent ahead of their answers, are limited in number;
- a connection over the limit is refused (`surplus.py`).
"""

import asyncio
import socket
import struct
from http import HTTPStatus
from typing import Any

from service.contract.errors import NotSent
from service.http.server.framed_connection import FramedProtocol
from service.http.server.refusals import Refusal

# Checked after each piece of a request's head, so a head that arrives in one piece may have more.
MAX_HEADERS, MAX_HEADER_BYTES = 1000, 64 * 1024


class GuardedProtocol(FramedProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_bytes = 0
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
        self.parse(data)
        if self.receiving and not self.closing:
            self._head_bytes = self._head_bytes + len(data) if in_head and self.in_head else 0
            if self._head_bytes > MAX_HEADER_BYTES or len(self.headers) > MAX_HEADERS:
                self.guard.metrics.reject("header_size")
                detail = f"the headers are too large: at most {MAX_HEADERS} headers and {MAX_HEADER_BYTES} bytes"
                self.refuse(Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail))

    def shutdown(self) -> None:
        """The service stops: close the connection, after its answer if a request has arrived; refuse half a head."""
        if self.in_head and not self.closing:
            self.refuse(self.guard.stopping)
        else:
            super().shutdown()

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
                self.refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, str(NotSent(self.guard.request_seconds))))
        elif now - self._idle_since >= self.guard.keep_alive_seconds:
            self.transport.close()  # even if it has sent something that is not a request


def _reset(transport: asyncio.Transport) -> None:
    """Reset a connection: the kernel would hold megabytes for its client, for minutes."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
