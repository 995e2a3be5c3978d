"""`POST /predict` from ASGI's scope and messages to an answer: what the route and the fast lane have in common."""

from collections.abc import Mapping
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive

from service.http.request_body import Headers, media_type, query_options, read_body
from service.inference.answers.answer import AnswerWriter, WrittenAnswer
from service.inference.options import Options
from service.inference.outcome import Outcome
from service.inference.predictor import Predictor
from service.inference.readers.body import JSON, NPY, RAW

# A smaller body takes less time than a hand-over to a thread costs. A larger one is worked on in a thread, so
# that it does not hold up the others. docs/evidence/serving.md has the figures.
INLINE_BODY_BYTES = 64 * 1024


class Answer(NamedTuple):
    """A body, what it is, and what else to say of it in the headers."""

    body: bytes
    media_type: str
    headers: Mapping[str, str]
    decided: Outcome


async def answer(
    predictor: Predictor, headers: Headers, query_string: bytes, receive: Receive, max_body_bytes: int
) -> Answer:
    """Read the request and answer it. Raises the RequestError that says what is wrong with it, or ClientDisconnect."""
    body = await read_body(headers, receive, max_body_bytes)
    options = query_options(query_string)
    form, answer_form = media_type(headers), wanted(headers)
    if len(body) > INLINE_BODY_BYTES:
        writer, written = await run_in_threadpool(_at_once, predictor, body, form, options, answer_form)
    else:
        question = predictor.prepare(body, form, options, answer_form)
        writer = question.writer
        written = await predictor.answer_batched(question)
    return Answer(written.body, writer.media_type, writer.headers, written.outcome)


def _at_once(
    predictor: Predictor, body: bytes, form: str, options: Options, answer_form: str
) -> tuple[AnswerWriter, WrittenAnswer]:
    question = predictor.prepare(body, form, options, answer_form)
    return question.writer, predictor.answer(question)


def wanted(headers: Headers) -> str:
    """The form of the answer that `Accept` names first, of those that there are; JSON where it names none.

    >>> wanted({b"accept": b"application/x-npy, application/json;q=0.5"}), wanted({b"accept": b"*/*"}), wanted({})
    ('application/x-npy', 'application/json', 'application/json')
    """
    accept = headers.get(b"accept")
    if accept is None or accept == b"*/*":
        return JSON
    named = [part.partition(";")[0].strip().lower() for part in accept.decode("latin-1").split(",")]
    return next((form for form in named if form in (JSON, RAW, NPY)), JSON)
