"""Validates client data. Errors name the field as the client writes it, the value, and the rule."""

import json
from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from service.contract.errors import Fault, InvalidRequest

_MAX_FAULTS = 10  # reported for one body
_MAX_SHOWN = 80  # characters of a field's name or value

_Model = TypeVar("_Model", bound=BaseModel)


def validated(model: type[_Model], value: object) -> _Model:
    """Validate client data. Raises InvalidRequest."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidRequest(faults(error.errors())) from None


def faults(errors: Sequence[ErrorDetails]) -> list[Fault]:
    """Pydantic's errors as faults.

    >>> faults([{"type": "int_type", "loc": ("top_k",), "msg": "Should be an integer", "input": "3"}])
    [Fault(field='top_k', detail='top_k="3": should be an integer')]
    """
    return [_fault(error) for error in errors[:_MAX_FAULTS]]


def _fault(error: ErrorDetails) -> Fault:
    field = truncated(".".join(str(part) for part in error["loc"] if part not in ("body", "query")))
    if error["type"] == "extra_forbidden":
        return Fault(field, f"{field}: no such field")
    if error["type"] == "missing":
        return Fault(field, f"{field} is missing")
    field = field or "body"
    if error["type"] == "list_type":
        return Fault(field, f"{field} is {display(error['input'])}: it must be a list, also for one: [...]")
    rule = error["msg"].removeprefix("Value error, ")
    return Fault(field, f"{field}={_as_json(error['input'])}: {rule[:1].lower()}{rule[1:]}")


def display(value: object) -> str:
    """A JSON value, short enough for an error message.

    >>> [display(value) for value in (None, True, [1, 2], 2.5)]
    ['null', 'true', 'a list of 2', '2.5']
    """
    match value:
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
        case int() if value.bit_length() > 64:
            return "an integer of more than 64 bits"
        case _:
            return _as_json(value)


def _as_json(value: object) -> str:
    return truncated(json.dumps(value, default=str))


def truncated(text: str) -> str:
    """A client's text, short enough for an error message."""
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
