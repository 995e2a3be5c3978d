"""What writes an answer: for each form of it a class of its own."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from pydantic import BaseModel, Field

from service.contract.certificates import SetMethod
from service.inference.batching import Rows
from service.inference.outcome import Outcome


class SetsRef(BaseModel):
    """Which promise the prediction sets keep."""

    set_coverage: float = Field(description="How often a set holds the true label, at least.")
    method: SetMethod = Field(
        description="Of what that holds: of the answered and of the abstained apart under each certified risk "
        "(by_decision), of all inputs (lac), or of each class (lac_class_conditional)."
    )


class WrittenAnswer(NamedTuple):
    """An answer."""

    body: bytes
    decided: Outcome


class AnswerWriter(Protocol):
    """Writes the answers to some inputs, in the form that a request wants."""

    @property
    def k(self) -> int:
        """How many of the likeliest labels it needs."""
        ...

    @property
    def whole(self) -> bool:
        """Whether it goes through the probabilities of every class one by one."""
        ...

    @property
    def media_type(self) -> str:
        """What it writes."""
        ...

    @property
    def said(self) -> Mapping[str, str]:
        """What else is said of it, in the headers."""
        ...

    def write(self, rows: Rows) -> WrittenAnswer:
        """The body."""
        ...
