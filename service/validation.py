"""What pydantic finds wrong, in our words: the field as the client writes it, what came, what is allowed."""

import json
from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from service.errors import Fault, InvalidRequest

_MOST_FAULTS = 10  # a body of a thousand wrong fields is answered by the first few
_MOST_SHOWN = 80  # characters of a value that came

_Model = TypeVar("_Model", bound=BaseModel)


def validated(model: type[_Model], value: object) -> _Model:
    """Validate data that a client sent. Raises InvalidRequest."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidRequest(faults(error.errors())) from None


def faults(errors: Sequence[ErrorDetails]) -> list[Fault]:
    """Pydantic's findings as faults.

    >>> faults([{"type": "int_type", "loc": ("top_k",), "msg": "Should be an integer", "input": "3"}])
    [Fault(field='top_k', detail='top_k="3": should be an integer')]
    """
    return [_fault(error) for error in errors[:_MOST_FAULTS]]


def _fault(error: ErrorDetails) -> Fault:
    field = ".".join(str(part) for part in error["loc"] if part not in ("body", "query"))
    if error["type"] == "extra_forbidden":
        return Fault(field, f"{field}: no such field")
    if error["type"] == "missing":
        return Fault(field, f"{field} is missing")
    field = field or "body"
    rule = error["msg"].removeprefix("Value error, ")
    return Fault(field, f"{field}={_shown(error['input'])}: {rule[:1].lower()}{rule[1:]}")


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."
