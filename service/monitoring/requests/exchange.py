"""One request and its answer, as those see it who keep account of them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from service.inference.outcome import Outcome

UNMATCHED = "unmatched"  # in the place of the route's template, where no route is


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
    decided: Outcome | None
    key: str | None = None  # the name of the API key that it came with


class Observer(Protocol):
    """Whoever keeps account. It is called on the event loop, so it must be quick, and may not raise."""

    def __call__(self, exchanges: Sequence[Exchange]) -> None:
        """Take note of them."""
        ...

    def close(self) -> None:
        """There will be no more: the service ends."""
        ...
