"""A connection that keeps to HTTP/1.1's framing: where each request ends, and one answer to each, in their order.

uvicorn drops the body of a request that offers another protocol, so that it may be read as a request of its own; it
answers invalid HTTP late and in plain text, and forgets a client that has ended its side of the connection. Here

- an offer to change the protocol is ignored, as default clients of Java make one (`Upgrade: h2c`);
- a request that is not valid HTTP is refused at once, after the answers to those before it, and its connection closed;
- a client that sends no more gets the answers to what it has sent.
"""

import logging
import time
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.contract.errors import MalformedBody
from service.http.middleware.request_limits import BEGAN, BROKEN
from service.http.request_id import request_id_of
from service.http.server.answer_writes import AnswerWrites
from service.http.server.connections import STATE, Connections
from service.http.server.head_rules import HeadError, checked, without_offer
from service.http.server.refusals import Refusal
from service.monitoring.requests.exchange import UNMATCHED, Exchange

# Requests that a connection may send before the answer to the first of them. Each takes some KB.
MAX_PIPELINED = 32

_log = logging.getLogger("demur")


class FramedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.guard: Connections = self.app_state[STATE]
        self.began = self._idle_since = time.perf_counter()  # `began` is the start of the latest request
        self.in_head = False  # the head of a request is arriving
        self.receiving = False  # a request is arriving, its head or its body
        self.headers, self.url = [], b""
        self.closing = False  # nothing more is read
        self._refusal: Refusal | None = None  # of the last request, once those before it are answered
        self._running: RequestResponseCycle | None = None

    def parse(self, data: bytes) -> None:
        """Parse the data, and refuse them if they are not valid."""
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = self._ignore(offer, data)
            except httptools.HttpParserError as error:
                self._refuse_invalid(error)
                return

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more: close the connection after the answers to the requests that have arrived."""
        self._answer_waiting()
        self.closing = True
        if self._refusal is not None:
            return True
        if self._is_begun():  # but not complete, so it is never answered
            if not self.pipeline:
                return False
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else self._running  # type: ignore[assignment]
        if not self.is_busy():
            return False
        self.cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _TooManyError  # stops the parser
        if not self.in_head:  # else it is read again, without its offer
            self.began = time.perf_counter()
        self.in_head = self.receiving = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header of the head; what follows the body is ignored."""
        if self.in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the application on the request. An exception stops the parser."""
        method, version = self.parser.get_method().decode(), self.parser.get_http_version()
        if self.parser.should_upgrade() and method != "CONNECT":
            return  # `parse` goes on
        self.url, changed = checked(self.url, method, version, self.headers)
        if changed is not None:
            self.headers[:] = changed  # the scope has the same list
        self.in_head = False
        self.scope["state"][BEGAN] = self.began
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request has arrived."""
        if not self.in_head:  # else only its head has, with an offer
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
        elif self._refusal is not None:
            self._write_refusal(self._refusal)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        cycle.transport = AnswerWrites(self.transport, cycle.scope["method"])
        super()._start_asgi_task(cycle, app)

    def is_busy(self) -> bool:
        """Whether the application has yet to answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def _is_begun(self) -> bool:
        """Whether the application has begun, or will, on a request that is still arriving."""
        return self.receiving and not self.in_head and self.cycle is not None and self.cycle.scope is self.scope

    def _answer_waiting(self) -> None:
        """Answer the requests that have arrived and that the application does not see, if there are any."""

    def _ignore(self, offer: httptools.HttpParserUpgrade, data: bytes) -> bytes:
        """Ignore the offer of another protocol. Returns the data that remain to be parsed, the head first.

        The parser has skipped the body, so it would read that as the next request: a new parser takes its place.
        """
        head = without_offer(self.url, self.parser.get_method(), self.parser.get_http_version(), self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's: what follows is not read
        (head_end,) = offer.args
        return head + data[head_end:]

    def _refuse_invalid(self, error: httptools.HttpParserError) -> None:
        """Refuse what the parser has found invalid, or a method of ours that it called."""
        match error.__context__ or error:
            case _TooManyError():
                self.closing = True
                self.cycle.keep_alive = False  # the last answer closes the connection
            case HeadError() as invalid:
                self.refuse(Refusal(HTTPStatus.BAD_REQUEST, str(invalid)))
            case httptools.HttpParserError() as invalid:
                self.refuse(Refusal(HTTPStatus.BAD_REQUEST, f"the request is not valid HTTP/1.1: {invalid}"))
            case fault:
                _log.error("a request could not be read", exc_info=fault)
                self.refuse(Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error. The log has details."))

    def refuse(self, refusal: Refusal) -> None:
        """Answer the request that is arriving, after those before it, and close the connection."""
        self._answer_waiting()
        self.closing = True
        if self._is_begun():
            self.receiving = False  # its rest is not read
            if self.cycle.response_complete:
                self.transport.close()
            self.cycle.keep_alive = False
            # The application finds it as it reads the body.
            self.cycle.scope["state"][BROKEN] = MalformedBody(refusal.detail)
            self.cycle.message_event.set()
        elif self.is_busy():
            self._refusal = refusal
        else:
            self._write_refusal(refusal)

    def _write_refusal(self, refusal: Refusal) -> None:
        request_id, path = request_id_of(dict(reversed(self.headers))), self.url.partition(b"?")[0].decode("latin-1")
        self.transport.write(refusal.response(request_id, path, self.server_state.default_headers, close=True))
        self.transport.close()
        seconds = time.perf_counter() - self.began
        method = self.parser.get_method().decode("latin-1") if self.url else "unknown"
        self.guard.observers.add(
            Exchange(request_id, None, method, path, UNMATCHED, refusal.status, time.time() - seconds, seconds, None)
        )


class _TooManyError(Exception):
    """More requests than a connection may send ahead of their answers."""
