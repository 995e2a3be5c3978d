"""The outcome of a request, for logs and metrics: the model, the policy, and the number of inputs by decision."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, Field

from service.contract.policy import Policy


class ModelRef(BaseModel):
    """A model's name and version."""

    name: str = Field(description="The name under which it is served.")
    version: str = Field(description="The first 12 hex digits of the SHA-256 of the model file.")


@dataclass(frozen=True, slots=True, eq=False)  # compared by identity, so that it can be a cache key
class Outcome:
    """The decisions for the inputs of one request; `decisions` is a `decision.tally`."""

    model: ModelRef
    policy: Policy
    decisions: Mapping[str, int]
    unknown_categories: int = 0  # inputs with a value that is no category of the model's
