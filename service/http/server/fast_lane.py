"""The fast lane: small predictions answered by the HTTP protocol itself.

uvicorn makes a task, a scope and messages for each request, and FastAPI a stack of middleware, a match of routes and a
response: five times what it takes to parse an image, run the model and write the answer. This is uvicorn's protocol
(its setting `http` takes a class) with one difference. A small `POST` to a model's path is read here, scored together
with those of other connections (`answering/gathering.py`), and its answer written to the socket. Whatever is not
plainly good (another method, a header out of the ordinary, a broken rule, a fault of ours) goes the way of every
request, through the application, which alone knows how to refuse. So there is one description, one way to say no, and
the same answers with the lane as without; the tests hold them side by side. docs/performance.md has the figures.
"""

import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from service.contract.errors import RequestError
from service.http import security_headers
from service.http.predict_request import INLINE_BODY_BYTES, wanted
from service.http.request_body import Headers, media_type, query_options
from service.http.request_id import request_id_of, traceparent_of
from service.http.server.guarded_connection import GuardedProtocol
from service.http.server.whole_request import UNUSUAL, whole_post
from service.inference.batching import RequestScores
from service.inference.outcome import Outcome
from service.inference.predictor import Predictor, PreparedRequest
from service.monitoring.requests.exchange import Exchange, ExchangeObservers

if TYPE_CHECKING:
    from service.http.access.gate import AccessGate

STATE = "lane"  # the name of a Lane in the lifespan's state


class Lane(NamedTuple):
    """What a connection knows of the application."""

    predictors: MutableMapping[bytes, Predictor]  # by the paths that they answer on; none during a drain
    observers: ExchangeObservers
    gate: "AccessGate | None"  # who gets in; None where all do


class FastLaneProtocol(GuardedProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._lane: Lane = self.app_state.get(STATE) or Lane({}, ExchangeObservers(()), None)
        self._predictor: Predictor | None = None  # of the request that is coming in by the lane
        self._named: Headers = {}
        self._key: str | None = None  # the name of the API key that let it in
        self._admission = self.guard.admission
        self._is_behind = False  # whether the request came before the one ahead of it was answered
        self._path = b""
        self._query = b""
        self._body = bytearray()
        self._asked: PreparedRequest | None = (
            None  # what waits for the others, for the rest of this turn of the event loop
        )

    def data_received(self, data: bytes) -> None:
        """Parse it, or refuse it without."""
        admission = self._admission
        if admission.requests >= admission.limit and not (self.receiving or self._is_busy() or self._asked):
            plain = whole_post(data)
            if plain is not None and plain[0].partition(b"?")[0] in self._lane.predictors and admission.refuses():
                (target, self._named) = plain
                self._path = target.partition(b"?")[0]
                self._refuse_at_once()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Answers stand in the order of their requests, also where a client does not wait for them.

        The lane takes one request at a time of a connection. Those that have come behind it are the application's,
        which lets others have their turn between them.
        """
        self._is_behind = self._asked is not None
        self._answer_what_waits()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Take the request into the lane, or start the application on it."""
        self._path, _, self._query = self.url.partition(b"?")
        self._named = dict(self.headers)
        self._predictor = self._lane.predictors.get(self._path)
        if (
            self._predictor is not None
            and self._is_plain()
            and (self._lane.gate is None or self._gets_in(self._lane.gate))
        ):
            self.in_head = False
            self._body.clear()
        else:
            self._predictor = None
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep it."""
        if self._predictor is None:
            super().on_body(body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        """The request is there: ask, and be called with the scores before this turn of the event loop is over."""
        predictor = self._predictor
        if predictor is None:
            super().on_message_complete()
            return
        self.receiving = False
        if self._admission.refuses():
            self._refuse_at_once()
            return
        headers = self._named
        try:
            options = query_options(self._query)
            self._asked = predictor.prepare(bytes(self._body), media_type(headers), options, wanted(headers))
        except Exception:
            self._hand_over()  # the application finds the same, and says it
            return
        writer = self._asked.writer
        self._admission.requests += 1
        predictor.batcher.add(self._asked.inputs, writer.top_k, writer.needs_all_probabilities, self._answer)

    def shutdown(self) -> None:
        """What is asked is answered before the connection is closed, and what has begun to come is waited for."""
        self._answer_what_waits()
        if self._predictor is not None:
            self._start_application()
        super().shutdown()

    def _is_plain(self) -> bool:
        """Whether nothing about the request is out of the ordinary."""
        headers = self._named
        length = headers.get(b"content-length", b"")
        return (
            self.parser.get_method() == b"POST"
            and length.isdigit()
            and int(length) <= INLINE_BODY_BYTES
            and len(headers) == len(self.headers)  # none is there twice
            and UNUSUAL.isdisjoint(headers)
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self._is_behind
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
        )

    def _gets_in(self, gate: "AccessGate") -> bool:
        """Whether it is let in. Where it is not, the application finds the same, and says it."""
        path, _ = _named(self._path)
        try:
            self._key = gate.admit("POST", path, self._named)
        except RequestError:
            return False
        return True

    def _answer(self, rows: RequestScores | Exception) -> None:
        """Called with the scores of what was asked."""
        self._admission.requests -= 1
        question, self._asked = self._asked, None
        if self.transport.is_closing() or question is None:
            return
        writer = question.writer
        try:
            if isinstance(rows, Exception):
                raise rows
            body, decided = writer.write(rows)
        except Exception:
            self._hand_over()
            return
        self._predictor = None
        request_id = request_id_of(self._named)
        head = _head(tuple(self.server_state.default_headers), writer.media_type, tuple(writer.headers.items()))
        self.transport.write(
            b"%bcontent-length: %d\r\nx-request-id: %b\r\n\r\n%b" % (head, len(body), request_id.encode(), body)
        )
        self._enter(request_id, decided)
        self.on_response_complete()

    def _refuse_at_once(self) -> None:
        """It costs a fraction of an answer, as it has to: a line of the log for each would be a good part of that."""
        self._predictor = None
        close, dated = self._named.get(b"connection", b"").lower() == b"close", self.server_state.default_headers
        self.transport.write(self.guard.overloaded.written(request_id_of(self._named), "", dated, close=close))
        if close:
            self.transport.close()
        self.guard.metrics.refuse_at_once(_named(self._path)[1])
        self.on_response_complete()

    def _enter(self, request_id: str, decided: Outcome) -> None:
        """Put the exchange into the account."""
        seconds = time.perf_counter() - self.began
        path, route = _named(self._path)
        # Without the fields' names, which cost as much as the rest.
        traceparent, began = traceparent_of(self._named), time.time() - seconds
        self._lane.observers.add(
            Exchange(request_id, traceparent, "POST", path, route, 200, began, seconds, decided, self._key)
        )

    def _answer_what_waits(self) -> None:
        if self._asked is not None and self._predictor is not None:
            self._predictor.batcher.run()

    def _hand_over(self) -> None:
        """Let the application answer a request that is there."""
        self._start_application()
        super().on_message_complete()

    def _start_application(self) -> None:
        """Start it on as much of the request as is there."""
        self._predictor = None
        super().on_headers_complete()
        super().on_body(bytes(self._body))


@lru_cache(maxsize=64)
def _head(dated: tuple[tuple[bytes, bytes], ...], media_type: str, said: tuple[tuple[str, str], ...]) -> bytes:
    """What of an answer's head is the same for a second, since the date is; it is not ended yet."""
    own = [(b"content-type", media_type.encode()), *((name.lower().encode(), value.encode()) for name, value in said)]
    lines = b"".join([b"%b: %b\r\n" % header for header in (*dated, *own)])
    return b"HTTP/1.1 200 OK\r\n%b%b" % (lines, security_headers.LINES)


@lru_cache(maxsize=256)
def _named(path: bytes) -> tuple[str, str]:
    """A path of the lane, and the template of the route that it is of."""
    text = unquote(path.decode())
    return text, text if text == "/predict" else "/models/{name}/predict"
