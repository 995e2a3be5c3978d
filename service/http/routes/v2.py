"""The routes of the Open Inference Protocol: HTTP in, HTTP out; the work is done in `open_inference/`.

Their bodies are read whatever content type they claim, since the stock clients claim none.
"""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool

from service.contract.errors import MalformedBody
from service.contract.validation import truncated
from service.http.compression import compressed, decompressed, encoding_for
from service.http.drain import accepting
from service.http.open_inference import metadata
from service.http.open_inference.infer import Inferred, infer
from service.http.predict_request import INLINE_BODY_BYTES
from service.http.request_body import Headers, headers_of, read_body
from service.http.routes.openapi import answer_of, json_of, standard_responses
from service.http.routes.requested_model import named, requested_model, versioned
from service.inference.predictor import Predictor
from service.inference.readers.body import JSON, RAW

HEADER_LENGTH = "Inference-Header-Content-Length"
_MODEL_ERRORS = standard_responses((HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE))
_BODY_ERRORS = standard_responses(
    (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
)
_BODIES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **json_of("InferRequest"),
            RAW: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}

router = APIRouter(prefix="/v2")


_of_model = APIRouter(responses=_MODEL_ERRORS)


@router.get("", response_model=None, responses=answer_of("ServerMetadata"))
@router.get("/", include_in_schema=False)
async def server_metadata() -> dict[str, Any]:
    """What the server is, and which extensions of the protocol it has."""
    return metadata.of_server()


@router.get("/health/live", response_model=None, responses=answer_of("Live"))
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get(
    "/health/ready",
    response_model=None,
    responses=answer_of("Ready") | standard_responses((HTTPStatus.SERVICE_UNAVAILABLE,)),
    dependencies=[Depends(accepting)],
)
async def ready() -> dict[str, bool]:
    """A proven model is loaded, and the service is not stopping.

    `live` is what the protocol's text says, `ready` what clients read.
    """
    return {"live": True, "ready": True}


@_of_model.get("", response_model=None, responses=answer_of("ModelMetadata"))
async def model_metadata(request: Request) -> dict[str, Any]:
    """The model's tensors and labels."""
    return metadata.of_model(requested_model(request))


@_of_model.get("/ready", response_model=None, responses=answer_of("ModelReady"), dependencies=[Depends(accepting)])
async def model_ready(request: Request) -> dict[str, Any]:
    """The model is proven and answers, and the service is not stopping."""
    return {"name": requested_model(request).ref.name, "ready": True}


@_of_model.post("/infer", openapi_extra=_BODIES, responses=answer_of("InferResponse") | _BODY_ERRORS)
async def model_infer(request: Request) -> Response:
    """Classify tensors: JSON, JSON followed by binary tensors, or with a header length of 0 one input's bytes alone."""
    predictor = requested_model(request).predictor
    headers = headers_of(request.scope)
    most = request.app.state.settings.max_body_bytes
    as_it_comes = {name: value for name, value in headers.items() if name != b"content-encoding"}
    body = await read_body(as_it_comes, request.receive, most)
    if len(body) > INLINE_BODY_BYTES or len(as_it_comes) < len(headers):
        response, found = await run_in_threadpool(_answer, predictor, headers, body, most)
    else:
        response, found = _answer(predictor, headers, body, most)
    request.state.decided = found.decided
    return response


router.include_router(_of_model, prefix="/models/{name}", dependencies=[Depends(named)])
router.include_router(
    _of_model, prefix="/models/{name}/versions/{version}", dependencies=[Depends(named), Depends(versioned)]
)


@router.post("/repository/index", response_model=None, responses=answer_of("RepositoryIndex"))
async def repository_index(request: Request) -> list[dict[str, str]]:
    """The models of this service, whether they are ready or not."""
    return metadata.index(request.app.state.registry.models)


@router.post(
    "/repository/models/{name}/{action}",
    responses=standard_responses((HTTPStatus.FORBIDDEN,)),
    include_in_schema=False,
)
async def change_repository(action: str) -> None:
    """Always refused: which models there are is a matter of their files."""
    if action not in ("load", "unload"):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    raise HTTPException(HTTPStatus.FORBIDDEN, f"{action} is not allowed: models are loaded from their files alone")


def _answer(predictor: Predictor, headers: Headers, body: bytes, most: int) -> tuple[Response, Inferred]:
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
    body = decompressed(body, encoding, most)
    found = infer(predictor, body, _header_length(headers))
    said = {"Vary": "Accept-Encoding"}
    if found.header_length is not None:
        said[HEADER_LENGTH] = str(found.header_length)
    wanted = encoding_for(headers.get(b"accept-encoding", b"").decode("latin-1"), found.body)
    content = found.body
    if wanted is not None:
        said["Content-Encoding"] = wanted
        content = compressed(content, wanted)
    return Response(content, headers=said, media_type=JSON if found.header_length is None else RAW), found


def _header_length(headers: Headers) -> int | None:
    text = headers.get(HEADER_LENGTH.lower().encode())
    if text is None:
        return None
    if not text.isdigit() or len(text) > 18:
        raise MalformedBody(f"{HEADER_LENGTH}={truncated(text.decode('latin-1'))}: it must be a number of bytes")
    return int(text)
