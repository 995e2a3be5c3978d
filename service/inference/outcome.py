"""What was decided of the inputs of one request, for those who keep account."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.contract.policy import Policy
from service.http.schemas.models import ModelRef


@dataclass(frozen=True, slots=True, eq=False)  # each is itself alone, so that what is made of one can be kept by it
class Decided:
    """The model, the policy that decided, and how many inputs were answered, or why not, as `decision.tally` counts."""

    model: ModelRef
    policy: Policy
    decisions: Mapping[str, int]
