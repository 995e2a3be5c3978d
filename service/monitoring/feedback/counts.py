"""The rows of the feedback tables: predictions, answers, and counts by policy."""

from dataclasses import dataclass, fields
from typing import NamedTuple

from service.contract.policy import Policy


class Key(NamedTuple):
    """Identifies one prediction of a model. Keys sort roughly in the order of the predictions."""

    seconds: int  # since 1970
    nonce: int


class Given(NamedTuple):
    """An audited answer."""

    key: Key
    policy: Policy
    label: int


class Answer(NamedTuple):
    """An audited answer that is due to be judged: the predicted label, and the true one or None if none came."""

    label: int
    truth: int | None


@dataclass(slots=True)
class Count:
    """The counts of one policy."""

    row: int  # in the table
    policy: Policy
    answered: int = 0  # answers with a true label
    errors: int = 0
    abstained: int = 0  # abstentions with a true label
    waiting: int = 0  # audited answers that are not judged yet
    judged: int = 0  # answers that the bounds are computed from
    judged_errors: int = 0
    missing: int = 0  # judged answers without a label
    judged_cost: float = 0.0  # of judged answers with a label
    alarm: bytes = b""  # the state of the certificate's Alarm, float64
    warning: str | None = None  # why the certificate is refuted; later feedback does not change that


COUNTED = tuple(field.name for field in fields(Count))[2:]  # the columns


class Totals(NamedTuple):
    """Sums over several policies."""

    answered: int = 0
    errors: int = 0
    abstained: int = 0
    judged: int = 0
    missing: int = 0
