"""`/livez`, `/readyz` and `/metrics`: what an orchestrator and Prometheus ask."""

from http import HTTPStatus

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse

from service.http.access.scopes import ADMIN, PROBE, needs
from service.http.compression import compressed, encoding_for
from service.http.drain import accepting
from service.http.request_body import headers_of
from service.http.routes.openapi_entries import problem_responses
from service.http.schemas.models import Status
from service.monitoring.metrics.scrape import Scrape

# A thread of its own: the others may all be at work for clients.
_threads = CapacityLimiter(1)

router = APIRouter()


@router.get("/livez")
@needs(PROBE)
async def livez() -> Status:
    """The process answers."""
    return Status(status="live")


@router.get(
    "/readyz", responses=problem_responses((HTTPStatus.SERVICE_UNAVAILABLE,)), dependencies=[Depends(accepting)]
)
@needs(PROBE)
async def readyz() -> Status:
    """The service is not stopping. It listens only once a model has passed its proof."""
    return Status(status="ready")


@router.get("/metrics", response_class=PlainTextResponse)
@needs(ADMIN)
async def metrics(request: Request) -> Response:
    """The metrics for Prometheus: in its text format, or in OpenMetrics where `Accept` asks for it."""
    headers = headers_of(request.scope)
    scrape: Scrape = request.app.state.scrape
    accept = headers.get(b"accept", b"").decode("latin-1")
    body, media_type = await to_thread.run_sync(_exposition, scrape, accept, limiter=_threads)
    response_headers = {"Vary": "Accept, Accept-Encoding"}
    encoding = encoding_for(headers.get(b"accept-encoding", b"").decode("latin-1"), body)
    if encoding is not None:
        response_headers["Content-Encoding"] = encoding
        body = await to_thread.run_sync(compressed, body, encoding, limiter=_threads)
    return Response(body, headers=response_headers, media_type=media_type)


def _exposition(scrape: Scrape, accept: str) -> tuple[bytes, str]:
    # Imported with the first scrape: prometheus-client would slow every start, and many services are never scraped.
    from service.monitoring.metrics.exposition import expose

    return expose(scrape, accept)
