"""The routes of the Open Inference Protocol (V2); the package `service.http.open_inference` does the work.

The content type of a body is ignored, since the stock clients send none.
"""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool

from service.http.access.scopes import PREDICT, PROBE, needs
from service.http.compression import decompressed
from service.http.drain import accepting
from service.http.open_inference import metadata
from service.http.open_inference.infer import InferEndpoint
from service.http.predict_request import INLINE_BODY_BYTES
from service.http.request_body import Headers, headers_of, read_body
from service.http.routes.openapi_entries import (
    MODEL_ERRORS,
    STANDARD_BODY_ERRORS,
    answer_of,
    body_of,
    standard_responses,
)
from service.http.routes.requested_model import name_parameter, requested_model, version_parameter
from service.inference.answers.answer import AnswerWriter, WrittenAnswer
from service.inference.predictor import Predictor
from service.inference.readers.body import RAW

_BODIES = body_of("InferRequest", {RAW: {"schema": {"type": "string", "format": "binary"}}})

router = APIRouter(prefix="/v2")
_of_model = APIRouter(responses=standard_responses(MODEL_ERRORS))


@router.get("", response_model=None, responses=answer_of("ServerMetadata"))
@router.get("/", include_in_schema=False)
@needs(PREDICT)
async def server_metadata() -> dict[str, Any]:
    """The server's name, its version, and the extensions of the protocol that it has."""
    return metadata.server_metadata()


@router.get("/health/live", response_model=None, responses=answer_of("Live"))
@needs(PROBE)
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get(
    "/health/ready",
    response_model=None,
    responses=answer_of("Ready") | standard_responses((HTTPStatus.SERVICE_UNAVAILABLE,)),
    dependencies=[Depends(accepting)],
)
@needs(PROBE)
async def ready() -> dict[str, bool]:
    """A model has passed its proof, and the service is not stopping.

    `live` is the key of the protocol's text, `ready` the one that clients read.
    """
    return {"live": True, "ready": True}


@_of_model.get("", response_model=None, responses=answer_of("ModelMetadata"))
@needs(PREDICT)
async def model_metadata(request: Request) -> dict[str, Any]:
    """The model's tensors and labels."""
    return metadata.model_metadata(requested_model(request))


@_of_model.get("/ready", response_model=None, responses=answer_of("ModelReady"), dependencies=[Depends(accepting)])
@needs(PREDICT)
async def model_ready(request: Request) -> dict[str, Any]:
    """The model has passed its proof, and the service is not stopping."""
    return {"name": requested_model(request).ref.name, "ready": True}


@_of_model.post(
    "/infer", openapi_extra=_BODIES, responses=answer_of("InferResponse") | standard_responses(STANDARD_BODY_ERRORS)
)
@needs(PREDICT)
async def model_infer(request: Request) -> Response:
    """Classify tensors: JSON, JSON followed by binary tensors, or, with a header length of 0, one input's bytes."""
    predictor = requested_model(request).predictor
    headers = headers_of(request.scope)
    max_bytes = request.app.state.settings.max_body_bytes
    without_encoding = {name: value for name, value in headers.items() if name != b"content-encoding"}
    body = await read_body(without_encoding, request.receive, max_bytes)
    if len(body) > INLINE_BODY_BYTES or len(without_encoding) < len(headers):
        writer, written = await run_in_threadpool(_in_thread, predictor, headers, body, max_bytes)
    else:
        prepared = InferEndpoint(predictor).prepare(body, headers)
        writer, written = prepared.writer, await predictor.answer_batched(prepared)
    request.state.decided = written.outcome
    return Response(written.body, headers=dict(written.headers), media_type=writer.media_type)


router.include_router(_of_model, prefix="/models/{name}", dependencies=[Depends(name_parameter)])
router.include_router(
    _of_model,
    prefix="/models/{name}/versions/{version}",
    dependencies=[Depends(name_parameter), Depends(version_parameter)],
)


@router.post("/repository/index", response_model=None, responses=answer_of("RepositoryIndex"))
@needs(PREDICT)
async def repository_index(request: Request) -> list[dict[str, str]]:
    """The models of this service, whether they are ready or not."""
    return metadata.repository_index(request.app.state.registry.models)


@router.post(
    "/repository/models/{name}/{action}",
    responses=standard_responses((HTTPStatus.FORBIDDEN,)),
    include_in_schema=False,
)
@needs(PREDICT)
async def change_repository(action: str) -> None:
    """Always refused: models are loaded and unloaded by their files alone."""
    if action not in ("load", "unload"):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    raise HTTPException(HTTPStatus.FORBIDDEN, f"{action} is not allowed: models are loaded from their files only")


def _in_thread(
    predictor: Predictor, headers: Headers, body: bytes, max_bytes: int
) -> tuple[AnswerWriter, WrittenAnswer]:
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
    prepared = InferEndpoint(predictor).prepare(decompressed(body, encoding, max_bytes), headers)
    return prepared.writer, predictor.answer(prepared)
