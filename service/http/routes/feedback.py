"""`/feedback` and `/drift`: whether a model's promises still hold."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from service.contract.errors import UnsupportedType
from service.contract.validation import validated
from service.http.access.scopes import ADMIN, FEEDBACK, needs
from service.http.request_body import headers_of, media_type, read_body
from service.http.routes.openapi_entries import BODY_ERRORS, MODEL_ERRORS, body_of, problem_responses
from service.http.routes.requested_model import requested_model
from service.inference.readers.body import JSON
from service.inference.readers.json_body import json_object
from service.monitoring.drift.schema import DriftResponse
from service.monitoring.feedback.schema import FeedbackRequest, FeedbackResponse, PolicyFeedback

MAX_FEEDBACK_BYTES = 8 * 1024  # an id and a label need far less
_BODY: dict[str, Any] = body_of("FeedbackRequest")

router = APIRouter(responses=problem_responses(MODEL_ERRORS))


@router.post(
    "/feedback",
    response_model=PolicyFeedback,
    openapi_extra=_BODY,
    responses=problem_responses((*BODY_ERRORS, HTTPStatus.CONFLICT)),
)
@needs(FEEDBACK)
async def give_feedback(request: Request) -> PolicyFeedback:
    """Report the true label of a prediction. The answer is the state of the prediction's policy.

    The same feedback twice counts once. An id older than the remembered labels is refused.
    """
    model = requested_model(request)
    headers = headers_of(request.scope)
    body = await read_body(headers, request.receive, MAX_FEEDBACK_BYTES)
    content_type = media_type(headers)
    if content_type != JSON:
        raise UnsupportedType(f"content type {content_type[:80] or 'none'} is not supported: send {JSON}")
    given = validated(FeedbackRequest, json_object(body, "id and label"))
    return model.monitor.feedback.record(given.id, given.label)


@router.get("/feedback")
@needs(ADMIN)
async def feedback(request: Request) -> FeedbackResponse:
    """The error rate of the answers by policy, as far as feedback came, and whether each certificate holds."""
    model = requested_model(request)
    return FeedbackResponse(model=model.ref, policies=model.monitor.feedback.states())


@router.get("/drift")
@needs(ADMIN)
async def drift(request: Request) -> DriftResponse:
    """Whether recent inputs look like the split that the promises come from, by labels and scores.

    Inputs are compared one window at a time: the answer stays the same until the next window is complete.

    Drift cannot show errors; only feedback can. Inputs that look the same may be classified worse than before, and
    inputs that look different as well as ever.
    """
    model = requested_model(request)
    return await run_in_threadpool(model.monitor.drift.state, model.ref, model.manifest.labels)
