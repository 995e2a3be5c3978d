"""The whole way of an inference request: read, score, decide, write."""

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
    """The body of an answer."""

    body: bytes
    header_length: int | None  # of the JSON that it begins with; None where it is JSON alone
    decided: Outcome  # whether or not it is among the outputs


def infer(predictor: Predictor, body: bytes, header_length: int | None) -> Inferred:
    """Answer one request; `header_length` as in `request.read`. Raises the RequestError that says what is wrong."""
    manifest = predictor.classifier.manifest
    request = read(body, header_length, manifest.input)
    wanted = request.outputs
    if wanted is None:
        wanted = [Output(name, request.binary, None) for name in described(manifest)]
    check_names([output.name for output in wanted], manifest)
    for output in wanted:
        if output.classification is not None and output.name != "probabilities":
            raise InvalidValue("classification", f" is asked of {output.name}: only probabilities has it")
    policy = predictor.policy(request.policy, within="parameters.")
    # The bytes go through the reader of the model's kind, which holds the limits and the rules of its values.
    inputs = predictor.reader.from_body(request.inputs.tobytes(), RAW)
    scores = predictor.scores(inputs)
    outcome = outcomes(scores, policy, manifest.abstention)
    found = values(scores, outcome, manifest, [output.name for output in wanted])
    for output in wanted:
        if output.classification is not None:
            found[output.name] = classified(found[output.name], output.classification, manifest.labels)
    body, length = _written(predictor, request, policy, [(output, found[output.name]) for output in wanted])
    return Inferred(body, length, Outcome(predictor.model_ref, policy, outcome.tally()))


def _written(
    predictor: Predictor, request: InferRequest, policy: Policy, found: list[tuple[Output, Any]]
) -> tuple[bytes, int | None]:
    said: dict[str, Any] = {"model_name": predictor.model_ref.name, "model_version": predictor.model_ref.version}
    if request.id is not None:
        said["id"] = request.id
    said["parameters"] = {"policy": policy.kind, **policy.model_dump(exclude={"kind"}, exclude_none=True)}
    said["outputs"], binary = [], []
    for output, array in found:
        entry: dict[str, Any] = {"name": output.name, "shape": list(array.shape), "datatype": datatype_of(array.dtype)}
        if output.binary:
            binary.append(to_bytes(array))
            entry["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            entry["data"] = to_json(array)
        said["outputs"].append(entry)
    text = orjson.dumps(said)
    return b"".join([text, *binary]), len(text) if binary else None
