"""Answers an inference request: read, score, decide, write."""

from typing import Any, NamedTuple

import orjson

from service.contract.errors import InvalidValue
from service.contract.policy import Policy
from service.http.open_inference.outputs import check_names, classified, described, values
from service.http.open_inference.request import InferRequest, Output, read
from service.http.open_inference.tensors import datatype_of, to_bytes, to_json
from service.inference.decision import outcomes
from service.inference.outcome import Outcome
from service.inference.predictor import Predictor
from service.inference.readers.body import RAW


class Inferred(NamedTuple):
    """An answer."""

    body: bytes
    header_length: int | None  # of the JSON before binary data; None for JSON only
    decided: Outcome  # also if no output shows it


def infer(predictor: Predictor, body: bytes, header_length: int | None) -> Inferred:
    """Answer one request; `header_length` as in `request.read`. Raises a RequestError."""
    manifest = predictor.classifier.manifest
    request = read(body, header_length, manifest.input)
    outputs = request.outputs
    if outputs is None:
        outputs = [Output(name, request.binary, None) for name in described(manifest)]
    check_names([output.name for output in outputs], manifest)
    for output in outputs:
        if output.classification is not None and output.name != "probabilities":
            raise InvalidValue("classification", f" is requested of {output.name}: only probabilities has it")
    policy = predictor.policy(request.policy, within="parameters.")
    # The reader of the model's kind checks limits and values.
    inputs = predictor.reader.from_body(request.inputs.tobytes(), RAW)
    scores = predictor.scores(inputs)
    outcome = outcomes(scores, policy, manifest.abstention)
    arrays = values(scores, outcome, manifest, [output.name for output in outputs])
    for output in outputs:
        if output.classification is not None:
            arrays[output.name] = classified(arrays[output.name], output.classification, manifest.labels)
    body, length = _written(predictor, request, policy, [(output, arrays[output.name]) for output in outputs])
    unknown = sum(map(bool, predictor.reader.unknown_categories(inputs) or ()))
    return Inferred(body, length, Outcome(predictor.model_ref, policy, outcome.tally(), unknown))


def _written(
    predictor: Predictor, request: InferRequest, policy: Policy, arrays: list[tuple[Output, Any]]
) -> tuple[bytes, int | None]:
    answer: dict[str, Any] = {"model_name": predictor.model_ref.name, "model_version": predictor.model_ref.version}
    if request.id is not None:
        answer["id"] = request.id
    answer["parameters"] = {"policy": policy.kind, **policy.model_dump(exclude={"kind"}, exclude_none=True)}
    answer["outputs"], binary = [], []
    for output, array in arrays:
        entry: dict[str, Any] = {"name": output.name, "shape": list(array.shape), "datatype": datatype_of(array.dtype)}
        if output.binary:
            binary.append(to_bytes(array))
            entry["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            entry["data"] = to_json(array)
        answer["outputs"].append(entry)
    text = orjson.dumps(answer)
    return b"".join([text, *binary]), len(text) if binary else None
