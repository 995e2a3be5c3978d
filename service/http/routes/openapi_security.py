"""The OpenAPI entries of API keys, where there are any."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from service.http.access.gate import API_KEY, scope_of
from service.http.problems import is_standard
from service.http.routes.openapi import problem_responses, standard_responses

_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The key after `Authorization: Bearer`."},
    "key": {"type": "apiKey", "in": "header", "name": API_KEY, "description": "The same key in a header of its own."},
}


def install(app: FastAPI) -> None:
    """Make `app`'s description say which scope each operation needs."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        before = app.openapi_schema
        description = generate()
        if description is not before:  # the first, or that of other models
            _describe(description)
        return description

    app.openapi = openapi  # type: ignore[method-assign]  # as in `openapi`


def _describe(description: dict[str, Any]) -> None:
    """Say of each operation which scope a key must have, and how it is refused without."""
    description["components"]["securitySchemes"] = _SCHEMES
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            scope = scope_of(method.upper(), path)
            if scope is None:
                operation["security"] = []
                continue
            operation["security"] = [{name: [scope]} for name in _SCHEMES]
            responses = standard_responses if is_standard(path) else problem_responses
            for status, entry in responses(_REFUSALS).items():
                operation["responses"].setdefault(str(status), entry)
