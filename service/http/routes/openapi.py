"""The parts of the OpenAPI description that FastAPI cannot derive: bodies that depend on the models, and errors."""

import copy
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.routing import Route

from service.contract.inputs import Kind
from service.http.access.scopes import PREDICT, needs
from service.http.middleware.request_limits import EXEMPT
from service.http.open_inference.tensors import DTYPES, datatype_of
from service.http.problems import is_standard
from service.http.routes.openapi_entries import REFERENCE, json_of, problem_responses, standard_responses
from service.inference.outcome import ModelRef
from service.inference.readers.body import JSON
from service.inference.readers.multipart import MULTIPART
from service.inference.readers.picture_formats import NAMES
from service.inference.readers.reader import Reader
from service.registry.registry import Registry
from service.registry.served_model import Models

_BUSY = HTTPStatus.SERVICE_UNAVAILABLE
_MAX_EXAMPLES = 3  # models with an example each
_MAX_SUMMARY_NAMES = 5  # models named in the summary
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {"file": {"type": "array", "items": _BINARY["schema"], "minItems": 1}},
        "additionalProperties": {"type": "array", "items": _BINARY["schema"]},
        "description": f"Picture files ({NAMES}), recognised by their content; each gets one prediction, in their "
        "order. Fields may have any name, and every field must be a file.",
    }
}
_INPUT_BODIES = {"predict": "PredictRequest", "explain": "ExplainRequest", "inputs": "InputsRequest"}  # of one model


def install(app: FastAPI, registry: Registry) -> None:
    """Complete `app`'s description: the schemas that the routes refer to, and the bodies that the models take."""
    for route in app.routes:
        if isinstance(route, Route) and route.path == app.openapi_url:  # FastAPI's own
            needs(PREDICT)(route.endpoint)
    generate = app.openapi
    described: list[ModelRef] = []

    def openapi() -> dict[str, Any]:
        models = registry.models
        if (refs := [model.ref for model in models.ready()]) != described:
            described[:] = refs
            app.summary, app.openapi_schema = _summary(refs), None
        if app.openapi_schema is None:
            description = generate()
            schemas = description["components"]["schemas"]
            schemas.update(_named_schemas())
            _remove_unsent(description["paths"], schemas)
            _describe_card(description["paths"], schemas)
            # Not in the pydantic models: FastAPI would drop the nulls.
            from service.http.schemas.examples import EXAMPLES

            for name in EXAMPLES.keys() & schemas.keys():
                schemas[name]["examples"] = [EXAMPLES[name]]
            for name in ("InstancesRequest", "ExplainInstancesRequest"):
                _fill_in(schemas[name], "instances", [model.reader for model in models.ready()])
            _describe_tensors(schemas, [model.manifest.input for model in models.ready()])
            _describe_limits(description["paths"])
            for path, name in _INPUT_BODIES.items():
                _describe_bodies(path, name, description["paths"], schemas, models)
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description


def _summary(models: list[ModelRef]) -> str:
    names = ", ".join(f"{model.name} {model.version}" for model in models[:_MAX_SUMMARY_NAMES])
    more = "" if len(models) <= _MAX_SUMMARY_NAMES else " and more"
    return f"Classifies with {names}{more}, and says when it does not know."


def _named_schemas() -> dict[str, Any]:
    """The schemas of bodies that routes refer to by name.

    Imported with the first description, so that a start does not wait for models that only describe.
    """
    from service.contract.manifest import Manifest
    from service.http.schemas import instances, open_inference, predict, problem
    from service.inference import explanations as explain
    from service.inference import model_inputs as inputs
    from service.inference.options import PredictRequest
    from service.monitoring.feedback import schema as feedback

    read = (PredictRequest, explain.ExplainRequest, inputs.InputsRequest, feedback.FeedbackRequest)
    read_by_protocol = (open_inference.InferRequest, instances.InstancesRequest, instances.ExplainInstancesRequest)
    written = (predict.PredictResponse, Manifest, problem.ProblemDetails)
    written_by_protocol = (
        open_inference.ServerMetadata,
        open_inference.Live,
        open_inference.Ready,
        open_inference.ModelMetadata,
        open_inference.ModelReady,
        open_inference.InferResponse,
        open_inference.RepositoryIndex,
        open_inference.ProtocolError,
        instances.ModelNames,
    )
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((model, "validation") for model in (*read, *read_by_protocol)),
        *((model, "serialization") for model in (*written, *written_by_protocol)),
    ]
    _, definitions = models_json_schema(modes, ref_template=REFERENCE)
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas


def _describe_card(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """The model card is the manifest without its golden vectors, with the served name and version."""
    card = schemas.pop("Manifest")
    del schemas["GoldenVectors"], card["properties"]["golden"]
    served = {
        "served_as": {"type": "string", "description": "The name in its routes and answers."},
        "version": {"type": "string", "description": "The first 12 hex digits of the SHA-256 of the model file."},
    }
    card["properties"] = {**served, **card["properties"]}
    card["required"] = [*served, *(name for name in card["required"] if name != "golden")]
    schemas["ModelCard"] = {**card, "title": "ModelCard", "description": "What the model file says about itself."}
    for path in ("/model", "/models/{name}"):
        paths[path]["get"]["responses"]["200"]["content"] = json_of("ModelCard")


def _describe_limits(paths: dict[str, Any]) -> None:
    """Add the errors that any request may get: the service is overloaded, or the body did not arrive in time."""
    retry_after = {"description": "Seconds to wait, where the service is overloaded.", "schema": {"type": "integer"}}
    for path, operations in paths.items():
        described = standard_responses if is_standard(path) else problem_responses
        for method, operation in operations.items():
            responses = operation["responses"]
            if not path.endswith(EXEMPT):
                responses.update({str(s): entry for s, entry in described((_BUSY,)).items()})
                responses["503"]["headers"] = {"Retry-After": retry_after}
            if method == "post":
                responses.update({str(s): entry for s, entry in described((HTTPStatus.REQUEST_TIMEOUT,)).items()})


def _remove_unsent(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Remove FastAPI's own error body, which it adds to every path with a parameter. This service never sends it."""
    for unsent in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unsent, None)
    for path in paths.values():
        for operation in path.values():
            invalid = operation["responses"].get("422", {}).get("content", {})
            if JSON in invalid:
                del operation["responses"]["422"]


def _describe_bodies(path: str, name: str, paths: dict[str, Any], schemas: dict[str, Any], models: Models) -> None:
    """Describe the bodies of `/{path}`, for the default model, and of `/models/{name}/{path}`, for any model."""
    plain = schemas.pop(name)
    named = [model.reader for model in models.ready()]
    _describe_inputs(paths[f"/models/{{name}}/{path}"]["post"], name, plain, schemas, named)
    if models.default_name is None:
        for other in [p for p, operations in paths.items() if "{name}" not in p and _may_be_unknown(operations)]:
            del paths[other]
        return
    default = [models.get(None).reader]
    same = len(named) == 1
    _describe_inputs(paths[f"/{path}"]["post"], name if same else f"Default{name}", plain, schemas, default)


def _may_be_unknown(operations: dict[str, Any]) -> bool:
    """Whether the path belongs to a model: only there can one be unknown."""
    return any("404" in operation["responses"] for operation in operations.values())


def _describe_inputs(
    predict: dict[str, Any], name: str, plain: dict[str, Any], schemas: dict[str, Any], readers: list[Reader]
) -> None:
    """Fill in the parts that depend on the kinds of input that `readers` read."""
    request = copy.deepcopy(plain)
    media_types = dict.fromkeys(media_type for reader in readers for media_type in reader.media_types)
    binary = {media_type: _FORM if media_type == MULTIPART else _BINARY for media_type in media_types}
    predict["requestBody"] = {"required": True, "content": {**json_of(name), **binary}}
    for parameter in predict["parameters"]:
        # A form generated from the description would send the default, and a JSON body allows no query options.
        parameter["schema"].pop("default", None)
    _fill_in(request, "inputs", readers)
    if not any(reader.resizes for reader in readers):
        for image_option in ("resize", "invert"):
            del request["properties"][image_option]
        predict["parameters"] = [p for p in predict["parameters"] if p["name"] not in ("resize", "invert")]
    schemas[name] = request


def _describe_tensors(schemas: dict[str, Any], kinds: list[Kind]) -> None:
    """Describe the tensors of the Open Inference Protocol: the inputs of the models."""
    if not kinds:
        return
    tensor = schemas["InferInput"]["properties"]
    tensor["name"]["enum"] = list(dict.fromkeys(kind.name for kind in kinds))
    tensor["datatype"]["enum"] = list(DTYPES)
    schemas["InferRequest"]["examples"] = [
        {
            "inputs": [
                {
                    "name": kind.name,
                    "datatype": datatype_of(kind.dtype),
                    "shape": [1, *kind.row_shape],
                    "data": [0] * kind.values,
                }
            ],
            "outputs": [{"name": "decision"}, {"name": "reason"}],
        }
        for kind in kinds[:1]
    ]


def _fill_in(request: dict[str, Any], field: str, readers: list[Reader]) -> None:
    """Describe the elements of a list of inputs, with examples."""
    items: list[dict[str, Any]] = []
    for reader in readers:
        if reader.input_schema not in items:
            items.append(reader.input_schema)
    request["properties"][field]["items"] = items[0] if len(items) == 1 else {"anyOf": items}
    request["examples"] = [{field: [reader.example]} for reader in readers[:_MAX_EXAMPLES]]
