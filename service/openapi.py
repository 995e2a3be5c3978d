"""The OpenAPI entries that FastAPI cannot derive: a body read by hand in several forms, and errors of one shape."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from service.predict import IMAGE_FILES, JSON, RAW
from service.problems import MEDIA_TYPE
from service.schemas import FeedbackRequest, PredictRequest, ProblemDetails

_REFERENCE = "#/components/schemas/{model}"
_BINARY = {"schema": {"type": "string", "format": "binary"}}

FEEDBACK_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {JSON: {"schema": {"$ref": _REFERENCE.format(model="FeedbackRequest")}}},
    }
}
PREDICT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": _REFERENCE.format(model="PredictRequest")}},
            **dict.fromkeys((*IMAGE_FILES, RAW), _BINARY),
        },
    }
}


def problem_responses(statuses: Iterable[HTTPStatus]) -> dict[int | str, dict[str, Any]]:
    """The entries of a route that can answer with these errors."""
    schema = {"$ref": _REFERENCE.format(model="ProblemDetails")}
    return {int(s): {"description": s.phrase, "content": {MEDIA_TYPE: {"schema": schema}}} for s in statuses}


def install(app: FastAPI) -> None:
    """Make `app`'s description hold the schemas that the entries above refer to."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schemas = generate()["components"]["schemas"]
            _, own = models_json_schema(
                [
                    (PredictRequest, "validation"),
                    (FeedbackRequest, "validation"),
                    (ProblemDetails, "serialization"),
                ],
                ref_template=_REFERENCE,
            )
            schemas.update(own["$defs"])
            # FastAPI's own error body, which this service never sends.
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description
