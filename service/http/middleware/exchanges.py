"""Account of every exchange: an id for each request, and an entry when it is answered."""

import time

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.contract.errors import Overloaded
from service.http import security_headers
from service.http.drain import Drain
from service.http.middleware.request_limits import BEGAN, ROUTE
from service.http.problems import response_to
from service.http.request_body import headers_of
from service.http.request_id import HEADER, request_id_of, traceparent_of
from service.monitoring.metrics.metrics import Metrics
from service.monitoring.requests.exchange import UNMATCHED, Exchange, ExchangeObservers

_NOTHING_SENT = 499  # as a status, nginx's for a client that went away


class ExchangeMiddleware:
    """Puts the id into `request.state.request_id` and into the response's headers, and the exchange into the account.

    What no handler has caught is answered here: further out it would be raised again and logged twice, and the
    connection closed unannounced.

    During a drain each answer ends its connection.

    A route that decides says so in `request.state.decided`.
    """

    def __init__(self, app: ASGIApp, observers: ExchangeObservers, metrics: Metrics, drain: Drain) -> None:
        self.app = app
        self._drain = drain
        self._account = observers
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        began = state.setdefault(BEGAN, time.perf_counter())
        headers = headers_of(scope)
        request_id = state["request_id"] = request_id_of(headers)
        status = _NOTHING_SENT
        refused = False

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                said = MutableHeaders(scope=message)
                said[HEADER] = request_id
                security_headers.add_to(said, scope["method"])
                if self._drain.begun:
                    said["Connection"] = "close"
                status = message["status"]
            await send(message)

        self._metrics.begin()
        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            refused = type(error) is Overloaded
            if status != _NOTHING_SENT:  # the answer cannot be taken back: uvicorn breaks it off
                raise
            await response_to(Request(scope), error)(scope, receive, send_with_id)
        finally:
            self._metrics.end()
            seconds = time.perf_counter() - began
            exchange = Exchange(
                request_id=request_id,
                traceparent=traceparent_of(headers),
                method=scope["method"],
                path=scope["path"],
                route=_route_of(scope),
                status=status,
                began=time.time() - seconds,
                seconds=seconds,
                decided=scope["state"].get("decided"),
                key=scope["state"].get("key"),
            )
            if refused:  # counted, and not logged one by one: see `admission.py`
                self._metrics([exchange])
            else:
                self._account.add(exchange)


def _route_of(scope: Scope) -> str:
    """The template of the route that answered. `scope["route"]` is without the prefix of its router."""
    context = scope.get("fastapi", {}).get("effective_route_context")
    if context is None:  # where there is none, or it was refused before it was looked for
        return scope["state"].get(ROUTE, UNMATCHED)  # type: ignore[no-any-return]
    return context.path_format  # type: ignore[no-any-return]
