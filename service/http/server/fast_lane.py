"""The fast lane: small predictions answered in the HTTP protocol class itself.

For each request uvicorn makes a task, a scope and messages, and FastAPI a stack of middleware, a route match and a
response: five times the work of parsing an image, running the model and writing the answer. This class is uvicorn's
protocol (its setting `http` takes a class) with one difference. A small `POST` to a model's path is read here, scored
together with those of other connections (`inference/batching.py`), and its answer written to the socket. Anything out
of the ordinary (another method, an unusual header, an invalid value, a fault of ours) goes through the parser and the
application like every other request. Only the application refuses, so there is one description, one form of errors, and
the same answers with the lane as without; tests compare them. docs/performance.md has the figures.
"""

import asyncio
import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from service.http import security_headers
from service.http.endpoints import Endpoint
from service.http.predict_request import INLINE_BODY_BYTES
from service.http.request_id import request_id_of, traceparent_of
from service.http.server.guarded_connection import GuardedProtocol
from service.http.server.plain_post import PlainPost, plain_post
from service.http.server.surplus import SurplusProtocol
from service.inference.answers.answer import AnswerWriter
from service.inference.batching import RequestScores
from service.monitoring.requests.exchange import Exchange, ExchangeObservers

if TYPE_CHECKING:
    from service.http.access.gate import AccessGate

STATE = "lane"  # where the lifespan's state holds the Lane


class Lane(NamedTuple):
    """The parts of the application that a connection uses."""

    endpoints: MutableMapping[bytes, Endpoint]  # by the paths that they answer; empty during a drain
    observers: ExchangeObservers
    gate: "AccessGate | None"  # None where every request is admitted
    max_body_bytes: int  # the application refuses a larger body


class _Waiting(NamedTuple):
    """A request that waits for its batch, until the end of this turn of the event loop."""

    data: bytes  # as it arrived
    post: PlainPost
    endpoint: Endpoint
    writer: AnswerWriter
    key: str | None  # the name of its API key


class FastLaneProtocol(GuardedProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lane: Lane = self.app_state.get(STATE) or Lane({}, ExchangeObservers(()), None, 0)
        self._admission = self.guard.admission
        self._max_body_bytes = min(INLINE_BODY_BYTES, self._lane.max_body_bytes)
        self._arrived: bytearray | None = None  # of a request for the lane that is not complete
        self._arriving_to: Endpoint | None = None  # of that request: a swap of the model changes nothing for it
        self._waiting: _Waiting | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the connection, or leave it to another protocol if it is one too many."""
        if self.guard.full():
            SurplusProtocol(self.config, self.server_state, self.app_state, self.loop).connection_made(transport)
        else:
            super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take a request into the lane once it has arrived, or feed the parser.

        Answers keep the order of the requests, even if a client does not wait for them.
        """
        if self._waiting is not None:
            self._answer_waiting()
        if self._arrived is not None:
            self._arrived += data
            data, self._arrived = bytes(self._arrived), None
            begun = self._arriving_to
        elif self.receiving or self.closing or self.is_busy():
            super().data_received(data)
            return
        else:
            self.began, begun = time.perf_counter(), None
        post = plain_post(data)
        endpoint = begun or (None if post is None else self._lane.endpoints.get(post.path))
        if post is None or endpoint is None or post.body_bytes > self._max_body_bytes:
            super().data_received(data)
        elif len(data) < post.head_bytes + post.body_bytes:
            self._arrived, self._arriving_to = bytearray(data), endpoint
        elif self._admission.refuses():
            self._refuse_at_once(post, endpoint)
        elif not self._take(data, post, endpoint):
            super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a waiting request before the connection is closed."""
        self._answer_waiting()
        return super().eof_received()

    def shutdown(self) -> None:
        """Answer a waiting request before the connection is closed; wait for one that is arriving."""
        self._answer_waiting()
        self._hand_over_arrived()
        super().shutdown()

    def check(self, now: float) -> None:
        """Leave the limits of a request that arrives slowly to the parser and the application."""
        if self._waiting is None:
            self._hand_over_arrived()
            super().check(now)

    def _take(self, data: bytes, post: PlainPost, endpoint: Endpoint) -> bool:
        """Add a request to the batch, which is scored before this turn of the event loop ends.

        False if the application must answer: it finds the same error, and reports it.
        """
        gate, key = self._lane.gate, None
        try:
            if post.close or self.flow.write_paused:
                return False
            if gate is not None:
                key = gate.admit("POST", _decoded(post.path), post.headers)
            inputs, writer = endpoint.prepare(data[post.head_bytes :], post.headers, post.query)
        except Exception:
            return False
        self._waiting = _Waiting(data, post, endpoint, writer, key)
        self._admission.requests += 1
        endpoint.batcher.add(inputs, writer.top_k, writer.needs_all_probabilities, self._answer)
        return True

    def _answer(self, rows: RequestScores | Exception) -> None:
        """Called with the scores of the waiting request."""
        self._admission.requests -= 1
        request, self._waiting = self._waiting, None
        if self.transport.is_closing() or request is None:
            return
        data, post, endpoint, writer, key = request
        try:
            if isinstance(rows, Exception):
                raise rows
            body, decided, more = writer.write(rows)
        except Exception:
            super().data_received(data)  # the application finds the same error, and reports it
            return
        request_id = request_id_of(post.headers)
        head = _head(tuple(self.server_state.default_headers), writer.media_type, tuple(more.items()))
        self.transport.write(
            b"%bcontent-length: %d\r\nx-request-id: %b\r\n\r\n%b" % (head, len(body), request_id.encode(), body)
        )
        self._idle_since = now = time.perf_counter()
        self.server_state.total_requests += 1
        seconds = now - self.began
        # Positional arguments: keywords would cost as much as the rest.
        traceparent, began, path = traceparent_of(post.headers), time.time() - seconds, _decoded(post.path)
        self._lane.observers.add(
            Exchange(request_id, traceparent, "POST", path, endpoint.route, 200, began, seconds, decided, key)
        )

    def _refuse_at_once(self, post: PlainPost, endpoint: Endpoint) -> None:
        """Refuse the request at a fraction of the cost of an answer; a log line would be a good part of that."""
        request_id, dated_headers = request_id_of(post.headers), self.server_state.default_headers
        self.transport.write(
            self.guard.overloaded.response(request_id, endpoint.route, dated_headers, close=post.close)
        )
        if post.close:
            self.transport.close()
        self.guard.metrics.refuse_at_once(endpoint.route)
        self.on_response_complete()

    def _answer_waiting(self) -> None:
        """Run the batch now, if a request of this connection waits in it."""
        if self._waiting is not None:
            self._waiting.endpoint.batcher.run()

    def _hand_over_arrived(self) -> None:
        """Let the parser read what has arrived of a request."""
        if self._arrived is not None:
            data, self._arrived = bytes(self._arrived), None
            super().data_received(data)


@lru_cache(maxsize=64)
def _head(dated: tuple[tuple[bytes, bytes], ...], media_type: str, more: tuple[tuple[str, str], ...]) -> bytes:
    """The part of an answer's head that stays the same for a second, as the date does; the end is left out."""
    own = [(b"content-type", media_type.encode()), *((name.lower().encode(), value.encode()) for name, value in more)]
    lines = b"".join([b"%b: %b\r\n" % header for header in (*dated, *own)])
    return b"HTTP/1.1 200 OK\r\n%b%b" % (lines, security_headers.LINES)


@lru_cache(maxsize=256)
def _decoded(path: bytes) -> str:
    return unquote(path.decode())
