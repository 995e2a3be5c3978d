"""On the way out: requests are still answered, and whoever sends them is told to send the next ones elsewhere."""

from starlette.requests import Request

from service.contract.errors import Stopping
from service.monitoring.metrics.metrics import Metrics
from service.registry.registry import Registry

STATE = "drain"  # the name of a Drain in the lifespan's state


class Drain:
    """Whether this process is on its way out."""

    def __init__(self, metrics: Metrics, registry: Registry) -> None:
        self.begun = False
        self._metrics = metrics
        self._serving = registry

    def begin(self) -> None:
        """From now on `readyz` says 503, and each answer closes its connection. May be called by a signal handler.

        A client that keeps its connection, as nginx does and whoever comes through kube-proxy, asks on it for as long
        as it is open, whatever `readyz` says. An answer with `Connection: close` is the one moment to end it at which
        no request can be on its way.
        """
        self.begun = True
        self._metrics.drain()
        self._serving.leave_lane()  # so that the application answers all, which can say so


async def accepting(request: Request) -> None:
    """A dependency of what says whether the service is ready. Raises Stopping."""
    drain: Drain = request.app.state.drain
    if drain.begun:
        raise Stopping("the service is stopping: send requests elsewhere")
