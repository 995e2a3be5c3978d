"""Bodies of KServe's first protocol (V1): `{"instances": [...]}`, whose elements are those of `/predict`'s `inputs`.

The protocol says nothing of options. Here they stand in an object `parameters` beside the instances, with the names
that they have in a query string, as other servers that read `instances` have it. Other keys are passed over.
"""

from typing import Any

from service.contract.errors import InvalidValue
from service.contract.policy import POLICY_FIELDS, PolicyRequest
from service.contract.validation import validated
from service.http.schemas.instances import InstancesRequest
from service.inference.explainer import Explainer
from service.inference.explanations import ExplainRequest, ExplainResponse, explained
from service.inference.options import NO_OPTIONS, Options
from service.inference.predictor import Predictor, PreparedRequest
from service.inference.readers.json_body import json_object

_FIELD = "instances"


def question(predictor: Predictor, body: bytes) -> PreparedRequest:
    """Read one request for predictions. Raises the RequestError that says what is wrong with it."""
    instances, parameters = _read(body)
    options = _options(parameters) if parameters else NO_OPTIONS
    inputs = predictor.reader.from_json(instances, resize=options.resize, invert=options.invert, field=_FIELD)
    return predictor.asked(inputs, options, within="parameters.")


def explain_instances(predictor: Predictor, explainer: Explainer, body: bytes) -> ExplainResponse:
    """Read one request for explanations and answer it. Raises the RequestError that says what is wrong with it."""
    instances, parameters = _read(body)
    if "inputs" in parameters:
        raise InvalidValue("parameters.inputs", f": no such field; the inputs stand in {_FIELD}")
    asked = validated(ExplainRequest, {**parameters, "inputs": instances})
    inputs = predictor.reader.from_json(instances, resize=asked.resize, invert=asked.invert, field=_FIELD)
    return explained(predictor, explainer, asked, inputs)


def _read(body: bytes) -> tuple[list[Any], dict[str, Any]]:
    sent = validated(InstancesRequest, json_object(body, _FIELD))
    return sent.instances, sent.parameters or {}


def _options(parameters: dict[str, Any]) -> Options:
    """The same as `QueryOptions.options`, of values that have their types already."""
    policy = {name: parameters[name] for name in POLICY_FIELDS if name in parameters}
    rest = {name: value for name, value in parameters.items() if name not in policy}
    if "policy" in rest:
        raise InvalidValue("parameters.policy", f": no such field; a policy is one of {', '.join(POLICY_FIELDS)}")
    return validated(Options, {**rest, "policy": validated(PolicyRequest, policy)} if policy else rest)
