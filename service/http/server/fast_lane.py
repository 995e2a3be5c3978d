"""The fast lane: small predictions answered in the HTTP protocol class itself.

For each request uvicorn makes a task, a scope and messages, and FastAPI a stack of middleware, a route match and a
response: five times the work of parsing an image, running the model and writing the answer. This class is uvicorn's
protocol (its setting `http` takes a class) with one difference. A small `POST` to a model's path is read here, scored
together with those of other connections (`inference/batching.py`), and its answer written to the socket. Anything out
of the ordinary (another method, an unusual header, an invalid value, a fault of ours) goes through the application like
every other request. Only the application refuses, so there is one description, one form of errors, and the same answers
with the lane as without; tests compare them. docs/performance.md has the figures.
"""

import asyncio
import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from service.contract.errors import RequestError
from service.http import security_headers
from service.http.predict_request import INLINE_BODY_BYTES, accepted_form
from service.http.request_body import Headers, media_type, query_options
from service.http.request_id import request_id_of, traceparent_of
from service.http.server.guarded_connection import GuardedProtocol
from service.http.server.plain_post import UNUSUAL, plain_post
from service.http.server.surplus import SurplusProtocol
from service.inference.batching import RequestScores
from service.inference.outcome import Outcome
from service.inference.predictor import Predictor, PreparedRequest
from service.monitoring.requests.exchange import Exchange, ExchangeObservers

if TYPE_CHECKING:
    from service.http.access.gate import AccessGate

STATE = "lane"  # where the lifespan's state holds the Lane


class Lane(NamedTuple):
    """The parts of the application that a connection uses."""

    predictors: MutableMapping[bytes, Predictor]  # by the paths that they answer; empty during a drain
    observers: ExchangeObservers
    gate: "AccessGate | None"  # None where every request is admitted


class FastLaneProtocol(GuardedProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lane: Lane = self.app_state.get(STATE) or Lane({}, ExchangeObservers(()), None)
        self._predictor: Predictor | None = None  # of the request that is arriving in the lane
        self._headers_by_name: Headers = {}
        self._key: str | None = None  # the name of the request's API key
        self._admission = self.guard.admission
        self._is_behind = False  # the request arrived before the previous one was answered
        self._path = b""
        self._query = b""
        self._body = bytearray()
        self._waiting: PreparedRequest | None = None  # for its batch, until the end of this turn of the event loop

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the connection, or leave it to another protocol if it is one too many."""
        if self.guard.full():
            SurplusProtocol(self.config, self.server_state, self.app_state, self.loop).connection_made(transport)
        else:
            super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Parse the data, or refuse a plain request without parsing it."""
        admission = self._admission
        if admission.requests >= admission.limit and not (self.receiving or self._is_busy() or self._waiting):
            post = plain_post(data)
            if post is not None and post.target.partition(b"?")[0] in self._lane.predictors and admission.refuses():
                self._headers_by_name = post.headers
                self._path = post.target.partition(b"?")[0]
                self._refuse_at_once()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins. Answers keep the order of the requests, even if a client does not wait for them.

        The lane takes one request of a connection at a time. Requests behind it go through the application, which lets
        other connections have their turn between them.
        """
        self._is_behind = self._waiting is not None
        self._answer_waiting()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Take the request into the lane, or start the application on it."""
        self._path, _, self._query = self.url.partition(b"?")
        self._headers_by_name = dict(self.headers)
        self._predictor = self._lane.predictors.get(self._path)
        if (
            self._predictor is not None
            and self._is_plain()
            and (self._lane.gate is None or self._is_admitted(self._lane.gate))
        ):
            self.in_head = False
            self._body.clear()
        else:
            self._predictor = None
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        if self._predictor is None:
            super().on_body(body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        """The request has arrived: add it to the batch, which is scored before this turn of the event loop ends."""
        predictor = self._predictor
        if predictor is None:
            super().on_message_complete()
            return
        self.receiving = False
        if self._admission.refuses():
            self._refuse_at_once()
            return
        headers = self._headers_by_name
        try:
            options = query_options(self._query)
            request = predictor.prepare(bytes(self._body), media_type(headers), options, accepted_form(headers))
        except Exception:
            self._hand_over()  # the application finds the same error, and reports it
            return
        self._waiting = request
        writer = request.writer
        self._admission.requests += 1
        predictor.batcher.add(request.inputs, writer.top_k, writer.needs_all_probabilities, self._answer)

    def eof_received(self) -> bool:
        """Answer a waiting request before the connection is closed."""
        self._answer_waiting()
        return super().eof_received()

    def shutdown(self) -> None:
        """Answer a waiting request before the connection is closed; wait for one that is arriving."""
        self._answer_waiting()
        if self._predictor is not None:
            self._start_application()
        super().shutdown()

    def _is_plain(self) -> bool:
        """Whether nothing about the request is out of the ordinary."""
        headers = self._headers_by_name
        length = headers.get(b"content-length", b"")
        return (
            self.parser.get_method() == b"POST"
            and length.isdigit()
            and int(length) <= INLINE_BODY_BYTES
            and len(headers) == len(self.headers)  # none is repeated
            and UNUSUAL.isdisjoint(headers)
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self._is_behind
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
        )

    def _is_admitted(self, gate: "AccessGate") -> bool:
        """Whether the gate admits the request. If not, the application finds the same, and reports it."""
        path, _ = _path_and_route(self._path)
        try:
            self._key = gate.admit("POST", path, self._headers_by_name)
        except RequestError:
            return False
        return True

    def _answer(self, rows: RequestScores | Exception) -> None:
        """Called with the scores of the waiting request."""
        self._admission.requests -= 1
        request, self._waiting = self._waiting, None
        if self.transport.is_closing() or request is None:
            return
        writer = request.writer
        try:
            if isinstance(rows, Exception):
                raise rows
            body, decided = writer.write(rows)
        except Exception:
            self._hand_over()
            return
        self._predictor = None
        request_id = request_id_of(self._headers_by_name)
        head = _head(tuple(self.server_state.default_headers), writer.media_type, tuple(writer.headers.items()))
        self.transport.write(
            b"%bcontent-length: %d\r\nx-request-id: %b\r\n\r\n%b" % (head, len(body), request_id.encode(), body)
        )
        self._observe(request_id, decided)
        self.on_response_complete()

    def _refuse_at_once(self) -> None:
        """Refuse the request at a fraction of the cost of an answer; a log line would be a good part of that."""
        self._predictor = None
        close = self._headers_by_name.get(b"connection", b"").lower() == b"close"
        request_id, dated_headers = request_id_of(self._headers_by_name), self.server_state.default_headers
        self.transport.write(self.guard.overloaded.response(request_id, "", dated_headers, close=close))
        if close:
            self.transport.close()
        self.guard.metrics.refuse_at_once(_path_and_route(self._path)[1])
        self.on_response_complete()

    def _observe(self, request_id: str, decided: Outcome) -> None:
        """Tell the observers of the exchange."""
        seconds = time.perf_counter() - self.began
        path, route = _path_and_route(self._path)
        # Positional arguments: keywords would cost as much as the rest.
        traceparent, began = traceparent_of(self._headers_by_name), time.time() - seconds
        self._lane.observers.add(
            Exchange(request_id, traceparent, "POST", path, route, 200, began, seconds, decided, self._key)
        )

    def _answer_waiting(self) -> None:
        """Run the batch now, if a request of this connection waits in it."""
        if self._waiting is not None and self._predictor is not None:
            self._predictor.batcher.run()

    def _hand_over(self) -> None:
        """Let the application answer a request that has arrived."""
        self._start_application()
        super().on_message_complete()

    def _start_application(self) -> None:
        """Start the application on the part of the request that has arrived."""
        self._predictor = None
        super().on_headers_complete()
        super().on_body(bytes(self._body))


@lru_cache(maxsize=64)
def _head(dated: tuple[tuple[bytes, bytes], ...], media_type: str, more: tuple[tuple[str, str], ...]) -> bytes:
    """The part of an answer's head that stays the same for a second, as the date does; the end is left out."""
    own = [(b"content-type", media_type.encode()), *((name.lower().encode(), value.encode()) for name, value in more)]
    lines = b"".join([b"%b: %b\r\n" % header for header in (*dated, *own)])
    return b"HTTP/1.1 200 OK\r\n%b%b" % (lines, security_headers.LINES)


@lru_cache(maxsize=256)
def _path_and_route(path: bytes) -> tuple[str, str]:
    """A path of the lane, decoded, and the template of its route."""
    text = unquote(path.decode())
    return text, text if text == "/predict" else "/models/{name}/predict"
