"""The routes of KServe's first protocol (V1): HTTP in, HTTP out; the work is done in `answering/`.

Their bodies are JSON, whatever content type they claim. Answers are those of `/predict` and `/explain`, which hold the
`predictions` and the `explanations` that the protocol asks for.
"""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from service.http.drain import accepting
from service.http.predict_request import INLINE_BODY_BYTES
from service.http.request_body import headers_of, read_body
from service.http.routes import instances
from service.http.routes.openapi import answer_of, json_of, standard_responses
from service.http.routes.requested_model import named, requested_model
from service.inference.answers.answer import WrittenAnswer
from service.inference.explanations import ExplainResponse
from service.inference.predictor import Predictor
from service.inference.readers.body import JSON

_MODEL_ERRORS = standard_responses((HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE))
_BODY_ERRORS = standard_responses(
    (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
)


def _body_of(schema: str) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": json_of(schema)}}


router = APIRouter(prefix="/v1")


@router.get("/models", response_model=None, responses=answer_of("ModelNames"))
async def models(request: Request) -> dict[str, list[str]]:
    """The names of the models, whether they are ready or not."""
    return {"models": list(request.app.state.registry.models.by_name)}


@router.post(
    "/models/{name}:predict",
    openapi_extra=_body_of("InstancesRequest"),
    responses=answer_of("PredictResponse") | _MODEL_ERRORS | _BODY_ERRORS,
    dependencies=[Depends(named)],
)
async def predict(request: Request) -> Response:
    """Classify instances."""
    predictor = requested_model(request).predictor
    body = await _body(request)
    if len(body) > INLINE_BODY_BYTES:
        written = await run_in_threadpool(_answer, predictor, body)
    else:
        written = await predictor.answer_with_others(instances.question(predictor, body))
    request.state.decided = written.decided
    return Response(written.body, media_type=JSON)


@router.post(
    "/models/{name}:explain",
    openapi_extra=_body_of("ExplainInstancesRequest"),
    responses=_MODEL_ERRORS | _BODY_ERRORS | standard_responses((HTTPStatus.CONFLICT,)),
    dependencies=[Depends(named)],
)
async def explain(request: Request) -> ExplainResponse:
    """Say what each part of an instance adds to the logit of a class."""
    model = requested_model(request)
    body = await _body(request)
    return await run_in_threadpool(instances.explain_instances, model.predictor, model.explainer, body)


# After those, whose paths it would take for names.
@router.get(
    "/models/{name}",
    response_model=None,
    responses=answer_of("ModelReady") | _MODEL_ERRORS,
    dependencies=[Depends(named), Depends(accepting)],
)
async def model_ready(request: Request) -> dict[str, Any]:
    """The model is proven and answers, and the service is not stopping."""
    return {"name": requested_model(request).ref.name, "ready": True}


async def _body(request: Request) -> bytes:
    return await read_body(headers_of(request.scope), request.receive, request.app.state.settings.max_body_bytes)


def _answer(predictor: Predictor, body: bytes) -> WrittenAnswer:
    return predictor.answer(instances.question(predictor, body))
