"""A surplus connection: one over the limit. Its first request is answered if it is a probe or a scrape.

An orchestrator that gets no answer restarts a service that is merely full. Every other request is refused, and the
connection closes after its first answer. It holds little: it may wait for a moment only, and when there are too many,
the oldest is dropped.
"""

import asyncio
from typing import Any

from service.http.middleware.request_limits import EXEMPT
from service.http.request_id import request_id_of
from service.http.server.guarded_connection import GuardedProtocol

_REQUEST_SECONDS = 1.0  # to send a request
_ANSWER_SECONDS = 10.0  # to receive its answer: Prometheus waits no longer for a scrape
_LINE_BYTES = 200  # of a request line that are looked at
_EXEMPT = tuple(path.encode() for path in EXEMPT)


class SurplusProtocol(GuardedProtocol):
    """One surplus connection. It is refused once it has sent a request: an earlier answer could be lost."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._opened = self.began
        self._is_exempt = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the connection for the moment."""
        super(GuardedProtocol, self).connection_made(transport)  # it is not one of the open connections
        transport.set_protocol(self)
        self.guard.opened_surplus(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection as rejected, unless it was answered."""
        if self.cycle is None:
            self.guard.reject()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer the request, or refuse it without parsing it."""
        if self.transport.is_closing():
            return
        if not self._is_exempt:
            method, _, rest = data[:_LINE_BYTES].partition(b" ")
            path = rest.partition(b" ")[0].partition(b"?")[0]
            if method not in (b"GET", b"HEAD") or not path.endswith(_EXEMPT):
                refusal, request_id = self.guard.limit_reached, request_id_of({})
                dated_headers = self.server_state.default_headers
                self.transport.write(refusal.response(request_id, path.decode("latin-1"), dated_headers, close=True))
                self.transport.close()
                return
            self._is_exempt = True
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Start the application; its answer closes the connection."""
        super().on_headers_complete()
        self.cycle.keep_alive = False

    def check(self, now: float) -> None:
        """Drop the connection if its client is slow."""
        if now - self._opened >= (_REQUEST_SECONDS if self.cycle is None else _ANSWER_SECONDS):
            self.drop()

    def drop(self) -> None:
        """Close the connection at once."""
        self.transport.abort()
