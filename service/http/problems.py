"""Errors as responses: RFC 9457 problem details for every kind of exception."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from posixpath import normpath

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from service.contract.errors import (
    Conflict,
    Fault,
    Forbidden,
    InvalidRequest,
    MalformedBody,
    ModelNotReady,
    NotSent,
    Overloaded,
    RequestError,
    Stopping,
    TooLarge,
    Unauthenticated,
    UnknownModel,
    UnsupportedType,
    UntrustedHost,
)
from service.contract.validation import faults
from service.http.admission import RETRY_AFTER_SECONDS
from service.http.request_id import HEADER
from service.http.schemas.problem import FieldError, ProblemDetails

MEDIA_TYPE = "application/problem+json"
_STATUS: dict[type[RequestError], HTTPStatus] = {
    MalformedBody: HTTPStatus.BAD_REQUEST,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    UnknownModel: HTTPStatus.NOT_FOUND,
    ModelNotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    Stopping: HTTPStatus.SERVICE_UNAVAILABLE,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    UntrustedHost: HTTPStatus.MISDIRECTED_REQUEST,
    Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    NotSent: HTTPStatus.REQUEST_TIMEOUT,
    Conflict: HTTPStatus.CONFLICT,
    InvalidRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
}

_CLOSE = {"Connection": "close"}  # the rest of the body is not read
_HEADERS: dict[type[RequestError], Mapping[str, str]] = {
    TooLarge: _CLOSE,
    NotSent: _CLOSE,
    Unauthenticated: {"WWW-Authenticate": 'Bearer realm="demur"'},
}

# RFC 9110's phrases, which Python has only from 3.13.
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}

_STANDARD = ("/v1/", "/v2/")  # the paths of the standard protocols

_log = logging.getLogger("demur")


def install(app: FastAPI) -> None:
    """Add the handlers that turn exceptions into problem details. `ExchangeMiddleware` handles all others."""
    for kind in (RequestError, RequestValidationError, HTTPException, ClientDisconnect):
        app.add_exception_handler(kind, _handle)


def response_to(request: Request, error: Exception) -> Response:
    """The response to an exception of any kind."""
    match error:
        case RequestError():
            return _to_request_error(request, error)
        case RequestValidationError():
            return _to_request_error(request, InvalidRequest(faults(error.errors())))
        case HTTPException():
            return _to_http_exception(request, error)
        case ClientDisconnect():
            # Nobody reads this answer, but a client that hangs up is not a fault to be logged.
            return problem(request, HTTPStatus.BAD_REQUEST, "The connection was closed before the body was complete.")
        case _:
            request_id = request.state.request_id
            _log.error("request %s failed", request_id, exc_info=error, extra={"request_id": request_id})
            detail = "Internal error. The log has details under this request_id."
            return problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def problem(
    request: Request,
    status: int,
    detail: str,
    faults: list[Fault] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response for an error of this status."""
    headers = {HEADER: request.state.request_id, **(headers or {})}
    if is_standard(request.url.path):
        # The protocols have one form, of exactly this content type, and 400 for every invalid request.
        status = HTTPStatus.BAD_REQUEST if status == HTTPStatus.UNPROCESSABLE_ENTITY else status
        return JSONResponse({"error": detail}, status, headers=headers)
    body = ProblemDetails(
        title=_TITLES.get(status) or HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        request_id=request.state.request_id,
        errors=faults and [FieldError(field=fault.field, detail=fault.detail) for fault in faults],
    )
    return Response(
        body.model_dump_json(exclude_none=True),
        status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def is_standard(path: str) -> bool:
    """Whether a path belongs to a standard protocol, which has errors of its own form.

    >>> is_standard("/v2"), is_standard("/v2/models/a"), is_standard("/v20")
    (True, True, False)
    """
    return path.startswith(_STANDARD) or f"{path}/" in _STANDARD


async def _handle(request: Request, error: Exception) -> Response:
    return response_to(request, error)


def _to_request_error(request: Request, error: RequestError) -> Response:
    status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
    faults = error.faults if isinstance(error, InvalidRequest) else None
    headers = dict(_HEADERS.get(type(error), {}))
    if isinstance(error, Overloaded):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return problem(request, status, str(error), faults, headers)


def _to_http_exception(request: Request, error: HTTPException) -> Response:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            detail = f"{request.url.path[:200]} does not exist: {_near(request) or '/openapi.json lists the paths'}"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = ", ".join(sorted(_methods(request, error)))
            detail = f"{request.method} is not allowed on {request.url.path}: use {allowed}"
            return problem(request, error.status_code, detail, headers={"Allow": allowed})
        case _:
            detail = error.detail
    return problem(request, error.status_code, detail, headers=error.headers)


def _near(request: Request) -> str:
    """What to use instead of a path with slashes or dots too many; empty if there is no such path either."""
    path = request.scope["path"]
    plain = normpath(f"/{path.strip('/')}")
    matches = plain != path and any(route.path_regex.match(plain) for route in iter_route_contexts(request.app.routes))
    return f"use {plain[:200]}" if matches else ""


def _methods(request: Request, error: HTTPException) -> set[str]:
    """The methods of a path. Each is a route of its own, and FastAPI's `Allow` names only those of the first.

    HEAD goes with GET: `ExchangeMiddleware` makes one of the other.
    """
    matched = request.scope.get("fastapi", {}).get("effective_route_context")
    if matched is None:  # a route of FastAPI's own
        return set((error.headers or {}).get("Allow", "").split(", "))
    routes = iter_route_contexts(request.app.routes)
    methods = {method for route in routes if route.path_format == matched.path_format for method in route.methods or ()}
    return methods | {"HEAD"} if "GET" in methods else methods
