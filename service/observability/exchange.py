"""One request and its answer, as those see it who keep account of them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from service.policy import Policy
from service.schemas.models import ModelRef

UNMATCHED = "unmatched"  # in the place of the route's template, where no route is


class Decided(NamedTuple):
    """What was decided of the inputs of one request."""

    model: ModelRef
    policy: Policy
    decisions: Mapping[str, int]  # how many inputs got `answer`, and how many each reason for abstaining


class Exchange(NamedTuple):
    """A request that has been answered, or given up. Never its inputs, nor a part of them."""

    request_id: str
    traceparent: str | None  # as the client sent it, where it is sound
    method: str
    path: str
    route: str  # the template, as `/models/{name}/predict`: of these there are few
    status: int
    began: float  # seconds since the epoch
    seconds: float  # from the request's first byte to the answer's last, as far as the service sees them
    decided: Decided | None


Observer = Callable[[Exchange], None]
