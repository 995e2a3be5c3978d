"""What feedback knows of predictions and of policies: the rows of its tables."""

from dataclasses import dataclass, fields
from typing import NamedTuple

from service.contract.policy import Policy


class Key(NamedTuple):
    """What tells one prediction of a model from the others; in the order in which they were given, about."""

    seconds: int  # since 1970
    nonce: int


class Given(NamedTuple):
    """An audited answer."""

    key: Key
    policy: Policy
    label: int


class Answer(NamedTuple):
    """An audited answer whose turn to be judged has come: what was said, and what is true; None where no label came."""

    label: int
    truth: int | None


@dataclass(slots=True)
class Count:
    """What is known of one policy."""

    row: int  # in the table
    policy: Policy
    answered: int = 0  # answers whose label came
    errors: int = 0
    abstained: int = 0  # abstentions whose label came
    waiting: int = 0  # audited answers that are not judged yet
    judged: int = 0  # answers that the bounds rest on
    judged_errors: int = 0
    missing: int = 0  # of those judged: without a label
    judged_cost: float = 0.0  # of those with a label
    alarm: bytes = b""  # the state of the promise's Alarm, float64
    warning: str | None = None  # why the promise is broken; further feedback does not undo the evidence


COUNTED = tuple(field.name for field in fields(Count))[2:]  # the columns


class Totals(NamedTuple):
    """What is known of several policies together."""

    answered: int = 0
    errors: int = 0
    abstained: int = 0
    judged: int = 0
    missing: int = 0
