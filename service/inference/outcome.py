"""The outcome of a request: which model answered, by which policy, and how many inputs it answered or not, and why."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, Field

from service.contract.policy import Policy


class ModelRef(BaseModel):
    """Which model gave the answer."""

    name: str = Field(description="As the service knows it.")
    version: str = Field(description="The first 12 hex digits of the SHA-256 of the model file.")


@dataclass(frozen=True, slots=True, eq=False)  # each is itself alone, so that what is made of one can be kept by it
class Outcome:
    """What was decided for the inputs of one request; `decisions` counts as `decision.tally` does."""

    model: ModelRef
    policy: Policy
    decisions: Mapping[str, int]
