"""Gives each request an id, and tells the observers of each exchange."""

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

_NOTHING_SENT = 499  # nginx's status for a client that disconnected


class ExchangeMiddleware:
    """Puts the id into `request.state.request_id` and the response's headers, and passes the exchange to the observers.

    It also answers exceptions without a handler: further out they would be raised again, logged twice, and close the
    connection without an answer. During a drain each answer closes its connection. A `HEAD` is answered as a `GET`, and
    the server leaves the body out.

    A route that makes decisions puts them into `request.state.decided`.
    """

    def __init__(self, app: ASGIApp, observers: ExchangeObservers, metrics: Metrics, drain: Drain) -> None:
        self.app = app
        self._drain = drain
        self._observers = observers
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        began = state.setdefault(BEGAN, time.perf_counter())
        headers = headers_of(scope)
        request_id = state["request_id"] = request_id_of(headers)
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        status = _NOTHING_SENT
        refused = False

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                response_headers = MutableHeaders(scope=message)
                response_headers[HEADER] = request_id
                security_headers.add_to(response_headers, scope["method"])
                if self._drain.begun:
                    response_headers["Connection"] = "close"
                status = message["status"]
            await send(message)

        self._metrics.begin()
        try:
            await self.app(asked, receive, send_with_id)
        except Exception as error:
            refused = type(error) is Overloaded
            if status != _NOTHING_SENT:  # the answer has begun: uvicorn aborts it
                raise
            await response_to(Request(asked), error)(asked, receive, send_with_id)
        finally:
            self._metrics.end()
            seconds = time.perf_counter() - began
            exchange = Exchange(
                request_id=request_id,
                traceparent=traceparent_of(headers),
                method=scope["method"],
                path=scope["path"],
                route=_route_of(asked),
                status=status,
                began=time.time() - seconds,
                seconds=seconds,
                decided=scope["state"].get("decided"),
                key=scope["state"].get("key"),
            )
            if refused:  # counted, but not logged one by one: see `admission.py`
                self._metrics([exchange])
            else:
                self._observers.add(exchange)


def _route_of(scope: Scope) -> str:
    """The template of the route that answered. `scope["route"]` lacks the prefix of its router."""
    context = scope.get("fastapi", {}).get("effective_route_context")
    if context is None:  # no route matched, or the request was refused before routing
        return scope["state"].get(ROUTE, UNMATCHED)  # type: ignore[no-any-return]
    return context.path_format  # type: ignore[no-any-return]
