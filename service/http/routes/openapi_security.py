"""API keys in the OpenAPI description, where the service has any."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from service.http.access.gate import API_KEY, RouteScopes
from service.http.access.scopes import OPEN, PROBE
from service.http.problems import is_standard
from service.http.routes.openapi_entries import problem_responses, standard_responses

_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The key after `Authorization: Bearer`."},
    "key": {"type": "apiKey", "in": "header", "name": API_KEY, "description": "The same key in a header of its own."},
}


def install(app: FastAPI, scopes: RouteScopes) -> None:
    """Make `app`'s description name the scope of each operation."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        before = app.openapi_schema
        description = generate()
        if description is not before:  # the first one, or one of other models
            _describe(description, scopes)
        return description

    app.openapi = openapi  # type: ignore[method-assign]  # as in `openapi`


def _describe(description: dict[str, Any], scopes: RouteScopes) -> None:
    """Add to each operation the scope that it needs, and the errors of a request without it."""
    description["components"]["securitySchemes"] = _SCHEMES
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            scope = scopes.of_operation(method.upper(), path)
            if scope in (OPEN, PROBE):
                operation["security"] = []
                continue
            operation["security"] = [{name: [scope]} for name in _SCHEMES]
            responses = standard_responses if is_standard(path) else problem_responses
            for status, entry in responses(_REFUSALS).items():
                operation["responses"].setdefault(str(status), entry)
