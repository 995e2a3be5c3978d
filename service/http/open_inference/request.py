"""Reads an inference request from its body. Unknown keys and parameters are ignored.

So are `parameters.timeout` and `priority`: there is no queue that they could apply to.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from numpy.typing import NDArray

from service.contract.errors import InvalidValue, MalformedBody
from service.contract.inputs import ImageInput, Kind
from service.contract.policy import POLICY_FIELDS, PolicyRequest
from service.contract.validation import display, truncated, validated
from service.http.open_inference.outputs import Output
from service.http.open_inference.tensors import (
    cast,
    checked_datatype,
    checked_shape,
    datatype_of,
    from_bytes,
    from_json,
)
from service.inference.readers.json_body import json_object, may_hold_booleans

_MAX_REPEATED = 1024  # bytes of JSON that are remembered


class InferRequest(NamedTuple):
    """A request."""

    inputs: NDArray[Any]  # [N * values], in the model's element type
    id: str | None = None
    outputs: tuple[Output, ...] | None = None  # None for all
    policy: PolicyRequest | None = None
    binary: bool = True  # the default for outputs


class _Header(NamedTuple):
    """The JSON of a request: its inputs unread, and the rest of it in the order of InferRequest."""

    inputs: object
    rest: tuple[str | None, tuple[Output, ...] | None, PolicyRequest | None, bool]


def read(body: bytes, header_length: int | None, kind: Kind) -> InferRequest:
    """Read a body whose first `header_length` bytes are JSON: None for the entire body, 0 for one input's bytes.

    Raises a RequestError.
    """
    if header_length is None:
        header = _header(body)
        inputs = _inputs(header.inputs, memoryview(b""), kind, check_booleans=may_hold_booleans(body))
    elif header_length:
        if header_length > len(body):
            raise MalformedBody(f"Inference-Header-Content-Length={header_length}: the body has {len(body)} bytes")
        text = body[:header_length]
        header = _repeated_header(text) if header_length <= _MAX_REPEATED else _header(text)
        inputs = _inputs(header.inputs, memoryview(body)[header_length:], kind, check_booleans=True)
    else:
        row = from_bytes(memoryview(body), kind.row_shape, datatype_of(kind.dtype), "body")
        return InferRequest(cast(row, kind.dtype, "body"))
    return InferRequest(inputs, *header.rest)


def _header(text: bytes) -> _Header:
    request = json_object(text, "inputs")
    parameters = _object(request, "parameters", "parameters")
    name = request.get("id")
    if name is not None and not isinstance(name, str):
        raise InvalidValue("id", f"={display(name)}: it must be a string")
    binary = _flag(parameters, "binary_data_output", False)
    requested = {field: parameters[field] for field in POLICY_FIELDS if field in parameters}
    policy = validated(PolicyRequest, requested) if requested else None
    return _Header(request.get("inputs"), (name, _outputs(request, binary), policy, binary))


# Before binary data, a client mostly sends the same JSON.
_repeated_header = lru_cache(maxsize=256)(_header)


def _inputs(given: object, rest: memoryview, kind: Kind, *, check_booleans: bool) -> NDArray[Any]:
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], dict):
        raise InvalidValue("inputs", f" must be a list of one tensor, {kind.name}: the model has that input only")
    tensor = given[0]
    if tensor.get("name") != kind.name:
        raise InvalidValue("inputs[0].name", f"={display(tensor.get('name'))}: the model's input is {kind.name}")
    datatype = checked_datatype(tensor.get("datatype"), "inputs[0].datatype")
    shape = checked_shape(tensor.get("shape"), "inputs[0].shape")
    _check_fits(shape, kind)
    size = _object(tensor, "parameters", "inputs[0].parameters").get("binary_data_size")
    field = "inputs[0].data"
    if size is None:
        if rest:
            raise InvalidValue("body", f" has {len(rest)} bytes after its JSON that no binary_data_size accounts for")
        numbers = from_json(tensor.get("data"), shape, datatype, field, check_booleans=check_booleans)
        return cast(numbers, kind.dtype, field)
    if "data" in tensor:
        raise InvalidValue("inputs[0]", " holds both data and binary_data_size: only one is allowed")
    if type(size) is not int or size != len(rest):
        raise InvalidValue("binary_data_size", f"={display(size)}: {len(rest)} bytes follow the JSON")
    return cast(from_bytes(rest, shape, datatype, field), kind.dtype, field)


def _check_fits(shape: tuple[int, ...], kind: Kind) -> None:
    if shape[1:] == kind.row_shape:
        return
    rows = list(dict.fromkeys([kind.row_shape, (kind.values,)]))
    if isinstance(kind, ImageInput) and kind.channels == 1:
        rows.append((1, *kind.row_shape))
    if shape[1:] not in rows:
        allowed = " or ".join(f"[N, {', '.join(map(str, row))}]" for row in rows)
        raise InvalidValue("inputs[0].shape", f" is {truncated(str(list(shape)))}: it must be {allowed}")


def _outputs(request: dict[str, Any], binary: bool) -> tuple[Output, ...] | None:
    given = request.get("outputs")
    if given is None or given == []:
        return None
    if not isinstance(given, list):
        raise InvalidValue("outputs", f" is {display(given)}: it must be a list")
    outputs: list[Output] = []
    for i, entry in enumerate(given):
        field = f"outputs[{i}]"
        if not isinstance(entry, dict) or not isinstance(name := entry.get("name"), str):
            raise InvalidValue(field, " must be an object with a name")
        if any(name == output.name for output in outputs):
            raise InvalidValue(field, f".name={display(name)} is given more than once")
        parameters = _object(entry, "parameters", f"{field}.parameters")
        k = parameters.get("classification")
        if k is not None and (type(k) is not int or k < 1):
            raise InvalidValue(f"{field}.classification", f"={display(k)}: it must be a whole number, at least 1")
        outputs.append(Output(name, _flag(parameters, "binary_data", binary), k))
    return tuple(outputs)


def _object(holder: dict[str, Any], key: str, field: str) -> dict[str, Any]:
    value = holder.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidValue(field, f" is {display(value)}: it must be an object")
    return value


def _flag(parameters: dict[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InvalidValue(name, f"={display(value)}: it must be true or false")
    return value
