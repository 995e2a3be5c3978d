"""`POST /predict`, from headers and a body to an answer: what the route and the fast lane share."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive

from service.http.negotiation import LONGEST, weights
from service.http.request_body import Headers, media_type, query_options, read_body
from service.inference.answers.answer import AnswerWriter, WrittenAnswer
from service.inference.outcome import Outcome
from service.inference.predictor import Predictor, PreparedRequest
from service.inference.readers.body import JSON, NPY, RAW

# Work on a smaller body takes less time than handing it to a thread. A larger body goes to a thread, so that it does
# not delay other requests. docs/evidence/serving.md has the figures.
INLINE_BODY_BYTES = 64 * 1024


class Answer(NamedTuple):
    """A body, its media type, and further headers."""

    body: bytes
    media_type: str
    headers: Mapping[str, str]
    decided: Outcome


class PredictEndpoint:
    """A predictor under one path."""

    def __init__(self, predictor: Predictor, route: str) -> None:
        self.route = route
        self.batcher = predictor.batcher
        self._predictor = predictor

    def prepare(self, body: bytes, headers: Headers, query_string: bytes) -> PreparedRequest:
        """Read one request. Raises a RequestError."""
        return _prepared(self._predictor, body, headers, query_string)


async def answer(
    predictor: Predictor, headers: Headers, query_string: bytes, receive: Receive, max_body_bytes: int
) -> Answer:
    """Read the request and answer it. Raises a RequestError, or ClientDisconnect."""
    body = await read_body(headers, receive, max_body_bytes)
    if len(body) > INLINE_BODY_BYTES:
        writer, written = await run_in_threadpool(_in_thread, predictor, body, headers, query_string)
    else:
        request = _prepared(predictor, body, headers, query_string)
        writer = request.writer
        written = await predictor.answer_batched(request)
    return Answer(written.body, writer.media_type, written.headers, written.outcome)


def _in_thread(
    predictor: Predictor, body: bytes, headers: Headers, query_string: bytes
) -> tuple[AnswerWriter, WrittenAnswer]:
    request = _prepared(predictor, body, headers, query_string)
    return request.writer, predictor.answer(request)


def _prepared(predictor: Predictor, body: bytes, headers: Headers, query_string: bytes) -> PreparedRequest:
    options = query_options(query_string)
    return predictor.prepare(body, media_type(headers), options, accepted_form(headers))


def accepted_form(headers: Headers) -> str:
    """The content type of the answer: of those that `Accept` weighs highest, the one that it names first.

    JSON if it accepts none of the three: RFC 9110, section 12.5.1, allows an answer as if there were no `Accept`.

    >>> accepted_form({b"accept": b"application/x-npy;q=0.5, application/json"}), accepted_form({b"accept": b"*/*"})
    ('application/json', 'application/json')
    """
    accept = headers.get(b"accept")
    return JSON if accept is None or accept == b"*/*" else _preferred(accept[:LONGEST])


@lru_cache(maxsize=256)  # clients repeat their headers
def _preferred(accept: bytes) -> str:
    """As `accepted_form`. Among content types that one range accepts, such as `application/*`, JSON is preferred."""
    ranges = weights(accept.decode("latin-1"))
    order = list(ranges)
    best, best_rank = JSON, (0.0, 0)
    for form in (JSON, RAW, NPY):
        named = next((name for name in (form, "application/*", "*/*") if name in ranges), None)  # the closest decides
        if named is not None and ranges[named] and (rank := (ranges[named], -order.index(named))) > best_rank:
            best, best_rank = form, rank
    return best
