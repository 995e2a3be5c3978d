"""KServe's first protocol (V1), whose bodies are `{"instances": [...]}`.

The instances are the `inputs` of `/predict`, and the answers are those of `/predict` and `/explain`, which hold the
`predictions` and `explanations` that the protocol names. It knows no options; here they stand in an object `parameters`
beside the instances, as in other servers, under their names in a query string. Other keys are ignored, and so is the
content type: a body is always JSON.
"""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from service.contract.errors import InvalidValue
from service.contract.policy import POLICY_FIELDS, PolicyRequest
from service.contract.validation import validated
from service.http.access.scopes import PREDICT, needs
from service.http.drain import accepting
from service.http.predict_request import INLINE_BODY_BYTES
from service.http.request_body import headers_of, read_body
from service.http.routes.openapi_entries import (
    MODEL_ERRORS,
    STANDARD_BODY_ERRORS,
    answer_of,
    body_of,
    standard_responses,
)
from service.http.routes.requested_model import name_parameter, requested_model
from service.http.schemas.instances import InstancesRequest
from service.inference.answers.answer import WrittenAnswer
from service.inference.explainer import Explainer
from service.inference.explanations import ExplainRequest, ExplainResponse, explain_inputs
from service.inference.options import NO_OPTIONS, Options
from service.inference.predictor import Predictor, PreparedRequest
from service.inference.readers.body import JSON
from service.inference.readers.json_body import json_object
from service.inference.readers.picture_options import PictureOptions
from service.inference.readers.reader import read_json

_FIELD = "instances"
_MODEL_ERRORS = standard_responses(MODEL_ERRORS)
_BODY_ERRORS = standard_responses(STANDARD_BODY_ERRORS)

router = APIRouter(prefix="/v1")


@router.get("/models", response_model=None, responses=answer_of("ModelNames"))
@needs(PREDICT)
async def models(request: Request) -> dict[str, list[str]]:
    """The names of the models, whether they are ready or not."""
    return {"models": list(request.app.state.registry.models.by_name)}


@router.post(
    "/models/{name}:predict",
    openapi_extra=body_of("InstancesRequest"),
    responses=answer_of("PredictResponse") | _MODEL_ERRORS | _BODY_ERRORS,
    dependencies=[Depends(name_parameter)],
)
@needs(PREDICT)
async def predict(request: Request) -> Response:
    """Classify instances."""
    predictor = requested_model(request).predictor
    body = await _body(request)
    if len(body) > INLINE_BODY_BYTES:
        written = await run_in_threadpool(_answer, predictor, body)
    else:
        written = await predictor.answer_batched(_prepared(predictor, body))
    request.state.decided = written.outcome
    return Response(written.body, media_type=JSON)


@router.post(
    "/models/{name}:explain",
    openapi_extra=body_of("ExplainInstancesRequest"),
    responses=_MODEL_ERRORS | _BODY_ERRORS | standard_responses((HTTPStatus.CONFLICT,)),
    dependencies=[Depends(name_parameter)],
)
@needs(PREDICT)
async def explain(request: Request) -> ExplainResponse:
    """Say what each part of an instance adds to the logit of a class."""
    model = requested_model(request)
    body = await _body(request)
    return await run_in_threadpool(_explanations, model.predictor, model.explainer, body)


# After the two above, whose paths it would take for names.
@router.get(
    "/models/{name}",
    response_model=None,
    responses=answer_of("ModelReady") | _MODEL_ERRORS,
    dependencies=[Depends(name_parameter), Depends(accepting)],
)
@needs(PREDICT)
async def model_ready(request: Request) -> dict[str, Any]:
    """The model has passed its proof, and the service is not stopping."""
    return {"name": requested_model(request).ref.name, "ready": True}


async def _body(request: Request) -> bytes:
    return await read_body(headers_of(request.scope), request.receive, request.app.state.settings.max_body_bytes)


def _answer(predictor: Predictor, body: bytes) -> WrittenAnswer:
    return predictor.answer(_prepared(predictor, body))


def _prepared(predictor: Predictor, body: bytes) -> PreparedRequest:
    """Read a request for predictions. Raises a RequestError."""
    instances, parameters = _instances(body)
    options = _options(parameters) if parameters else NO_OPTIONS
    reader = predictor.reader.with_options(PictureOptions(options.resize, options.invert))
    inputs = read_json(reader, instances, _FIELD)
    return predictor.prepare_inputs(inputs, options, within="parameters.")


def _explanations(predictor: Predictor, explainer: Explainer, body: bytes) -> ExplainResponse:
    """Read a request for explanations and answer it. Raises a RequestError."""
    instances, parameters = _instances(body)
    if "inputs" in parameters:
        raise InvalidValue("parameters.inputs", f": no such field; the inputs stand in {_FIELD}")
    options = validated(ExplainRequest, {**parameters, "inputs": instances})
    reader = predictor.reader.with_options(PictureOptions(options.resize, options.invert))
    inputs = read_json(reader, instances, _FIELD)
    return explain_inputs(predictor, explainer, options, inputs)


def _instances(body: bytes) -> tuple[list[Any], dict[str, Any]]:
    """The instances of a body, and its parameters."""
    request = validated(InstancesRequest, json_object(body, _FIELD))
    return request.instances, request.parameters or {}


def _options(parameters: dict[str, Any]) -> Options:
    """The same as `QueryOptions.options`, of values that have their types already."""
    policy = {name: parameters[name] for name in POLICY_FIELDS if name in parameters}
    others = {name: value for name, value in parameters.items() if name not in policy}
    if "policy" in others:
        raise InvalidValue("parameters.policy", f": no such field; a policy is one of {', '.join(POLICY_FIELDS)}")
    return validated(Options, {**others, "policy": validated(PolicyRequest, policy)} if policy else others)
