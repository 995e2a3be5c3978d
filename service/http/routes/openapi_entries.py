"""The bodies and errors that a route declares for the OpenAPI description, by the names of their schemas."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from service.http.problems import MEDIA_TYPE
from service.inference.readers.body import JSON

REFERENCE = "#/components/schemas/{model}"
MODEL_ERRORS = (HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)  # of every route of a model
STANDARD_BODY_ERRORS = (  # of a route with a body in a standard protocol
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
BODY_ERRORS = (*STANDARD_BODY_ERRORS, HTTPStatus.UNPROCESSABLE_ENTITY)  # of any other route with a body or options


def json_of(model: str) -> dict[str, Any]:
    """A JSON body, by the name of its schema."""
    return {JSON: {"schema": {"$ref": REFERENCE.format(model=model)}}}


def answer_of(model: str) -> dict[int | str, dict[str, Any]]:
    """The answer of a route that FastAPI does not serialise, by the name of its schema."""
    return {200: {"description": "Successful Response", "content": json_of(model)}}


def body_of(model: str, others: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """The JSON body of a route that reads it itself, by the name of its schema; `others` by their content types."""
    return {"requestBody": {"required": True, "content": {**json_of(model), **others}}}


def problem_responses(statuses: Iterable[HTTPStatus]) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, by status."""
    schema = {"$ref": REFERENCE.format(model="ProblemDetails")}
    return {int(s): {"description": s.phrase, "content": {MEDIA_TYPE: {"schema": schema}}} for s in statuses}


def standard_responses(statuses: Iterable[HTTPStatus]) -> dict[int | str, dict[str, Any]]:
    """The errors of a standard protocol's route, which are `{"error": "..."}`."""
    return {int(s): {"description": s.phrase, "content": json_of("ProtocolError")} for s in statuses}
