"""The OpenAPI entries that FastAPI cannot derive: bodies that the loaded model decides on, and errors of one shape."""

import copy
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from service.contract.inputs import Kind
from service.http.middleware.request_limits import EXEMPT
from service.http.open_inference.tensors import DTYPES, datatype_of
from service.http.problems import MEDIA_TYPE, is_standard
from service.inference.outcome import ModelRef
from service.inference.readers.body import JSON
from service.inference.readers.multipart import MULTIPART
from service.inference.readers.reader import Reader
from service.registry.registry import Registry
from service.registry.served_model import Models

_BUSY = HTTPStatus.SERVICE_UNAVAILABLE
_MOST_EXAMPLES = 3  # of models, each with an input
_MOST_NAMED = 5  # models, in the summary
_REFERENCE = "#/components/schemas/{model}"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {"file": {"type": "array", "items": _BINARY["schema"], "minItems": 1}},
        "additionalProperties": {"type": "array", "items": _BINARY["schema"]},
        "description": "PNG and JPEG files, told apart by their content; each gets one prediction, in their order. "
        "Any field name will do, and every field must be a file.",
    }
}


# The routes whose bodies the model decides on, and what their JSON is.
_BODIES_OF_INPUTS = {"predict": "PredictRequest", "explain": "ExplainRequest", "inputs": "InputsRequest"}


def json_of(model: str) -> dict[str, Any]:
    """A JSON body by the name of its schema."""
    return {JSON: {"schema": {"$ref": _REFERENCE.format(model=model)}}}


def answer_of(model: str) -> dict[int | str, dict[str, Any]]:
    """The entry of a route whose answer is written without its model, by the name of the model's schema."""
    return {200: {"description": "Successful Response", "content": json_of(model)}}


FEEDBACK_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": json_of("FeedbackRequest")}}


def problem_responses(statuses: Iterable[HTTPStatus]) -> dict[int | str, dict[str, Any]]:
    """The entries of a route that can answer with these errors."""
    schema = {"$ref": _REFERENCE.format(model="ProblemDetails")}
    return {int(s): {"description": s.phrase, "content": {MEDIA_TYPE: {"schema": schema}}} for s in statuses}


def standard_responses(statuses: Iterable[HTTPStatus]) -> dict[int | str, dict[str, Any]]:
    """The same for a route of a standard protocol, whose errors are `{"error": "..."}`."""
    return {int(s): {"description": s.phrase, "content": json_of("ProtocolError")} for s in statuses}


def install(app: FastAPI, registry: Registry) -> None:
    """Make `app`'s description hold the schemas that the entries above refer to, and the bodies that models take."""
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
            _leave_out_unsent(description["paths"], schemas)
            _describe_card(description["paths"], schemas)
            # Not in the models, where FastAPI leaves out what is null.
            from service.http.schemas.examples import EXAMPLES

            for name in EXAMPLES.keys() & schemas.keys():
                schemas[name]["examples"] = [EXAMPLES[name]]
            for name in ("InstancesRequest", "ExplainInstancesRequest"):
                _fill_in(schemas[name], "instances", [model.reader for model in models.ready()])
            _describe_tensors(schemas, [model.manifest.input for model in models.ready()])
            _describe_limits(description["paths"])
            for path, name in _BODIES_OF_INPUTS.items():
                _describe_bodies(path, name, description["paths"], schemas, models)
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description


def _summary(models: list[ModelRef]) -> str:
    names = ", ".join(f"{model.name} {model.version}" for model in models[:_MOST_NAMED])
    more = "" if len(models) <= _MOST_NAMED else " and more"
    return f"Classifies with {names}{more}, and says when it does not know."


def _named_schemas() -> dict[str, Any]:
    """Those of the bodies that the routes name.

    Loaded when the description is first asked for: no start waits for models that do nothing else.
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
    _, found = models_json_schema(modes, ref_template=_REFERENCE)
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _describe_card(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """The model card is the manifest without its golden vectors, and how it is served."""
    card = schemas.pop("Manifest")
    del schemas["GoldenVectors"], card["properties"]["golden"]
    served = {
        "served_as": {"type": "string", "description": "The name that its routes and answers have."},
        "version": {"type": "string", "description": "The first 12 hex digits of the SHA-256 of the model file."},
    }
    card["properties"] = {**served, **card["properties"]}
    card["required"] = [*served, *(name for name in card["required"] if name != "golden")]
    schemas["ModelCard"] = {**card, "title": "ModelCard", "description": "All that a model says of itself."}
    for path in ("/model", "/models/{name}"):
        paths[path]["get"]["responses"]["200"]["content"] = json_of("ModelCard")


def _describe_limits(paths: dict[str, Any]) -> None:
    """What any request may be answered: that it is one too many, or that its body did not come in time."""
    said = {"description": "Seconds to wait, where the service is overloaded.", "schema": {"type": "integer"}}
    for path, operations in paths.items():
        described = standard_responses if is_standard(path) else problem_responses
        for method, operation in operations.items():
            found = operation["responses"]
            if not path.endswith(EXEMPT):
                found.update({str(s): entry for s, entry in described((_BUSY,)).items()})
                found["503"]["headers"] = {"Retry-After": said}
            if method == "post":
                found.update({str(s): entry for s, entry in described((HTTPStatus.REQUEST_TIMEOUT,)).items()})


def _leave_out_unsent(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """FastAPI's own error body, which this service never sends: it adds one wherever the path has a parameter."""
    for unsent in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unsent, None)
    for path in paths.values():
        for operation in path.values():
            invalid = operation["responses"].get("422", {}).get("content", {})
            if JSON in invalid:
                del operation["responses"]["422"]


def _describe_bodies(path: str, name: str, paths: dict[str, Any], schemas: dict[str, Any], models: Models) -> None:
    """The bodies of `/{path}` are the default model's; of `/models/{name}/{path}` they are any model's."""
    plain = schemas.pop(name)
    named = [model.reader for model in models.ready()]
    _describe_inputs(paths[f"/models/{{name}}/{path}"]["post"], name, plain, schemas, named)
    if models.default_name is None:
        for other in [p for p, operations in paths.items() if "{name}" not in p and _may_be_unknown(operations)]:
            del paths[other]
        return
    default = [models.get(None).reader]
    alike = len(named) == 1
    _describe_inputs(paths[f"/{path}"]["post"], name if alike else f"Default{name}", plain, schemas, default)


def _may_be_unknown(operations: dict[str, Any]) -> bool:
    """Whether a path is a model's: only there a model may be missing."""
    return any("404" in operation["responses"] for operation in operations.values())


def _describe_inputs(
    predict: dict[str, Any], name: str, plain: dict[str, Any], schemas: dict[str, Any], readers: list[Reader]
) -> None:
    """Fill in what depends on the kinds of input that are taken: those of `readers`."""
    request = copy.deepcopy(plain)
    media_types = dict.fromkeys(media_type for reader in readers for media_type in reader.media_types)
    binary = {media_type: _FORM if media_type == MULTIPART else _BINARY for media_type in media_types}
    predict["requestBody"] = {"required": True, "content": {**json_of(name), **binary}}
    for parameter in predict["parameters"]:
        # A form that is made of the description would send it, and beside a JSON body no options are taken.
        parameter["schema"].pop("default", None)
    _fill_in(request, "inputs", readers)
    if not any(reader.resizes for reader in readers):
        for pictures_only in ("resize", "invert"):
            del request["properties"][pictures_only]
        predict["parameters"] = [p for p in predict["parameters"] if p["name"] not in ("resize", "invert")]
    schemas[name] = request


def _describe_tensors(schemas: dict[str, Any], kinds: list[Kind]) -> None:
    """The tensors of the Open Inference Protocol are those of the models."""
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
    """Say what the elements of a list of inputs may be, and give examples."""
    items: list[dict[str, Any]] = []
    for reader in readers:
        if reader.input_schema not in items:
            items.append(reader.input_schema)
    request["properties"][field]["items"] = items[0] if len(items) == 1 else {"anyOf": items}
    request["examples"] = [{field: [reader.example]} for reader in readers[:_MOST_EXAMPLES]]
