"""The OpenAPI entries that FastAPI cannot derive: bodies that the loaded model decides on, and errors of one shape."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from service.problems import MEDIA_TYPE
from service.reading.bodies import JSON
from service.reading.reader import Reader
from service.schemas import FeedbackRequest, PredictRequest, ProblemDetails

_REFERENCE = "#/components/schemas/{model}"
_BINARY = {"schema": {"type": "string", "format": "binary"}}


def _json_of(model: str) -> dict[str, Any]:
    return {JSON: {"schema": {"$ref": _REFERENCE.format(model=model)}}}


FEEDBACK_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": _json_of("FeedbackRequest")}}


def problem_responses(statuses: Iterable[HTTPStatus]) -> dict[int | str, dict[str, Any]]:
    """The entries of a route that can answer with these errors."""
    schema = {"$ref": _REFERENCE.format(model="ProblemDetails")}
    return {int(s): {"description": s.phrase, "content": {MEDIA_TYPE: {"schema": schema}}} for s in statuses}


def install(app: FastAPI, reader: Reader) -> None:
    """Make `app`'s description hold the schemas that the entries above refer to, and the bodies that `reader` takes."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = generate()
            schemas = description["components"]["schemas"]
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
            _describe_inputs(description["paths"]["/predict"]["post"], schemas["PredictRequest"]["properties"], reader)
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description


def _describe_inputs(predict: dict[str, Any], properties: dict[str, Any], reader: Reader) -> None:
    """What depends on the kind of input that the loaded model takes."""
    content = {**_json_of("PredictRequest"), **dict.fromkeys(reader.media_types, _BINARY)}
    predict["requestBody"] = {"required": True, "content": content}
    properties["inputs"]["items"] = reader.input_schema
    if not reader.resizes:
        del properties["resize"]
        predict["parameters"] = [option for option in predict["parameters"] if option["name"] != "resize"]
