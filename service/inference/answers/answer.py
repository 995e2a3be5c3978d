"""The interface of the forms of an answer: each form is a class that writes it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from pydantic import BaseModel, Field

from service.contract.certificates import SetMethod
from service.inference.batching import RequestScores
from service.inference.outcome import Outcome


class SetsRef(BaseModel):
    """The promise that the prediction sets keep."""

    set_coverage: float = Field(description="The minimum share of sets that hold the true label.")
    method: SetMethod = Field(
        description="Where the coverage holds: among answered and among abstained inputs separately under each "
        "certified risk (by_decision), over all inputs (lac), or in each class (lac_class_conditional)."
    )


class WrittenAnswer(NamedTuple):
    """The body of an answer, its outcome for logs and metrics, and further response headers."""

    body: bytes
    outcome: Outcome
    headers: Mapping[str, str] = {}


class AnswerWriter(Protocol):
    """Writes answers in one form, under one policy and one set of options."""

    @property
    def top_k(self) -> int:
        """How many of the likeliest labels it needs."""
        ...

    @property
    def needs_all_probabilities(self) -> bool:
        """Whether it needs the probability of every class as a Python number."""
        ...

    @property
    def media_type(self) -> str:
        """The content type of the body."""
        ...

    def write(self, scores: RequestScores) -> WrittenAnswer:
        """Write the answer to one request."""
        ...

    def noting(self, unknown: Sequence[Sequence[str]]) -> "AnswerWriter":
        """The same writer, for one request with unknown categories: for each of its inputs, their columns."""
        ...
