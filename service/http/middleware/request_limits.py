"""The limits of a request in the application: admission, and the time to send it and to answer it."""

import math
import time
from functools import lru_cache

import anyio
from anyio.lowlevel import checkpoint_if_cancelled
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.contract.errors import NoRoom, NotAnswered, NotSent, Overloaded
from service.http.admission import OVERLOADED, Admission
from service.monitoring.metrics.metrics import Metrics
from service.monitoring.requests.exchange import UNMATCHED

# Keys of a scope's state: the time of the request's first byte, on the clock of `time.perf_counter`, and the template
# of its route if it was refused before routing.
BEGAN, ROUTE = "began", "route"
BROKEN = "broken"  # an error that the connection found in the body
# Paths that end so are always answered: probes and metrics must work during an overload.
EXEMPT = ("/livez", "/readyz", "/metrics", "/live", "/ready")


class RequestLimitsMiddleware:
    """Raises Overloaded before the body is read, and NotSent or NotAnswered when a time limit is exceeded.

    Work in a thread cannot be cancelled: it is answered late, with 503. Once an answer has begun, its connection checks
    the time instead (`server/guarded_connection.py`).
    """

    def __init__(self, app: ASGIApp, admission: Admission, metrics: Metrics, seconds: float) -> None:
        """`seconds` is the time limit for sending a request, and then for answering it."""
        self.app = app
        self._admission = admission
        self._metrics = metrics
        self._seconds = seconds
        self._route = lru_cache(256)(_route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].endswith(EXEMPT):
            await self.app(scope, receive, send)
            return
        if self._admission.refuses():
            scope["state"][ROUTE] = self._route(scope["app"], scope["path"])
            raise Overloaded(OVERLOADED)
        entered, held = False, 0
        left = scope["state"][BEGAN] + self._seconds - time.perf_counter()
        # anyio waits for work in a thread; asyncio's timeout would leave it running, uncounted.
        timeout = anyio.move_on_after(left)

        def enter() -> None:
            nonlocal entered
            entered = True
            self._admission.requests += 1
            timeout.deadline = anyio.current_time() + self._seconds

        async def receive_counted() -> Message:
            nonlocal held
            message = await receive()
            if (broken := scope["state"].get(BROKEN)) is not None:
                raise broken
            size = len(message.get("body", b""))
            held += size
            if not self._admission.hold(size):
                raise NoRoom(OVERLOADED)
            if not entered and not message.get("more_body", False):
                enter()
            return message

        async def send_untimed(message: Message) -> None:
            await checkpoint_if_cancelled()  # so that no answer begins only to be aborted
            timeout.deadline = math.inf
            await send(message)

        try:
            with timeout:
                if not _has_body(scope):
                    enter()
                await self.app(scope, receive_counted, send_untimed)
        finally:
            self._admission.requests -= entered
            self._admission.held_bytes -= held
        if timeout.cancelled_caught:
            self._metrics.reject("request_seconds")
            raise NotAnswered(self._seconds) if entered else NotSent(self._seconds)


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") and value != b"0" for name, value in scope["headers"])


def _route(app: FastAPI, path: str) -> str:
    """The template of the first route that matches a path."""
    matching = (route for route in iter_route_contexts(app.routes) if route.path_regex.match(path))
    return next((str(route.path_format) for route in matching), UNMATCHED)
