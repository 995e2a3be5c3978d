"""The routes: HTTP in, HTTP out, and nothing in between; the work is done in `predict.py`."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from service.errors import InvalidValue, TooLarge, UnsupportedType
from service.feedback import Feedback
from service.openapi import FEEDBACK_BODY, problem_responses
from service.predict import Predictor
from service.reading.bodies import JSON
from service.schemas import (
    FeedbackRequest,
    FeedbackResponse,
    PolicyFeedback,
    PredictResponse,
    QueryOptions,
    Status,
)
from service.validation import json_object, validated

# A smaller body takes less time than a hand-over to a thread costs. A larger one is worked on in a thread, so
# that it does not hold up the others. docs/architecture.md has the figures.
INLINE_BODY_BYTES = 64 * 1024

MAX_FEEDBACK_BYTES = 8 * 1024  # an id and a label need far less

# What can go wrong with a body or an option.
_PREDICT_ERRORS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)

router = APIRouter()


@router.post(
    "/predict",
    response_model=PredictResponse,
    responses=problem_responses(_PREDICT_ERRORS),
)
async def predict(request: Request, query: Annotated[QueryOptions, Query()]) -> Response:
    """Classify inputs: a JSON body, or another of the forms that the model takes them in.

    With a JSON body the options stand in the body, otherwise in the query string.
    """
    predictor: Predictor = request.app.state.predictor
    body = await _read_body(request, request.app.state.settings.max_body_bytes)
    media_type = _media_type(request)
    _refuse_repeated(request)
    options = query.options()
    if len(body) <= INLINE_BODY_BYTES:
        answer = predictor.predict(body, media_type, options).model_dump_json()
    else:
        answer = await run_in_threadpool(lambda: predictor.predict(body, media_type, options).model_dump_json())
    return Response(answer, media_type=JSON)


@router.post(
    "/feedback",
    response_model=PolicyFeedback,
    openapi_extra=FEEDBACK_BODY,
    responses=problem_responses((*_PREDICT_ERRORS, HTTPStatus.CONFLICT)),
)
async def give_feedback(request: Request) -> PolicyFeedback:
    """Tell the true label of a prediction, when it is known. Answers where the prediction's policy stands.

    The same feedback twice counts once.
    """
    body = await _read_body(request, MAX_FEEDBACK_BYTES)
    media_type = _media_type(request)
    if media_type != JSON:
        raise UnsupportedType(f"content type {media_type[:80] or 'none'} is not taken: {JSON} is")
    given = validated(FeedbackRequest, json_object(body, "id and label"))
    feedback: Feedback = request.app.state.feedback
    return feedback.record(given.id, given.label)


@router.get("/feedback")
async def feedback(request: Request) -> FeedbackResponse:
    """How often the answers were right, by policy, as far as feedback came, and whether each certificate holds."""
    predictor: Predictor = request.app.state.predictor
    counts: Feedback = request.app.state.feedback
    return FeedbackResponse(model=predictor.model_ref, policies=counts.states())


@router.get("/model")
async def model(request: Request) -> dict[str, Any]:
    """The model card: what the model is, what it was trained on, how good it is, and which policies it offers.

    `abstention` holds the certificates, `metrics.operating_points` what each policy came to on the report split.
    """
    predictor: Predictor = request.app.state.predictor
    return {"version": predictor.classifier.version, **predictor.classifier.manifest.card()}


@router.get("/livez")
async def livez() -> Status:
    """The process answers."""
    return Status(status="live")


@router.get("/readyz")
async def readyz() -> Status:
    """A proven model is loaded: the service listens only from then on."""
    return Status(status="ready")


def _refuse_repeated(request: Request) -> None:
    """The last of two would win, and a proxy that adds one would loosen a promise without a word."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if names.count(name) > 1:
            raise InvalidValue(name[:80], " is given more than once in the query string")


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read_body(request: Request, max_bytes: int) -> bytes:
    """The body, refused where it is encoded, or as soon as it is known to be larger than `max_bytes`.

    Announced or counted: Starlette's own limit answers in plain text, so the counting is done here.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedType(f"content encoding {encoding[:80]} is not taken: send the body as it is")
    rule = f"at most {max_bytes} are taken"
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise TooLarge(f"the body has {announced} bytes: {rule}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise TooLarge(f"the body has more than {max_bytes} bytes: {rule}")
    return bytes(body)
