"""The drain before a stop: requests are still answered, and clients are told to send the next ones elsewhere."""

from starlette.requests import Request

from service.contract.errors import Stopping
from service.monitoring.metrics.metrics import Metrics
from service.registry.registry import Registry

STOPPING = "the service is stopping: send requests elsewhere"
STATE = "drain"  # where the lifespan's state holds the Drain


class Drain:
    """Whether this process is draining."""

    def __init__(self, metrics: Metrics, registry: Registry) -> None:
        self.begun = False
        self._metrics = metrics
        self._registry = registry

    def begin(self) -> None:
        """From now on `readyz` answers 503, and each answer closes its connection. Signal handlers may call this.

        Clients that keep connections open, as nginx does and clients behind kube-proxy do, keep sending requests on
        them regardless of `readyz`. An answer with `Connection: close` is the one moment to close a connection without
        losing a request.
        """
        self.begun = True
        self._metrics.drain()
        self._registry.leave_lane()  # the application closes connections, the lane does not


async def accepting(request: Request) -> None:
    """A dependency of readiness routes. Raises Stopping during a drain."""
    drain: Drain = request.app.state.drain
    if drain.begun:
        raise Stopping(STOPPING)
