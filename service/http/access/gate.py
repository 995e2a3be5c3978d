"""Admits requests by `Host` and API key, for the fast lane and the application alike. Only the application refuses."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from service.contract.errors import Forbidden, Unauthenticated, UntrustedHost
from service.http.access.hosts import Hosts
from service.http.access.keys import Key, Keys
from service.http.access.scopes import ADMIN, OPEN, PREDICT, PROBE, declared_scope
from service.http.problems import is_standard
from service.http.request_body import Headers, headers_of

STATE = "key"  # where a request's state holds the name of its key
BEARER, API_KEY = "Bearer", "X-API-Key"  # the two ways to present a key
_API_KEY = API_KEY.lower().encode()
_BEARER = re.compile(rb"bearer +(\S+) *", re.IGNORECASE)


class _Route(NamedTuple):
    pattern: Any  # the compiled regular expression of its paths
    template: str
    methods: frozenset[str]
    scope: str


class RouteScopes:
    """The scopes that an application's routes declare."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes = [
            _Route(
                route.path_regex,
                str(route.path_format),
                frozenset(route.methods or ()),
                declared_scope(route.endpoint) or ADMIN,
            )
            for route in iter_route_contexts(list(routes))
        ]
        self.of_request = lru_cache(1024)(self._of_request)
        """The scope that a request needs, by its method and its decoded path: as routes are matched."""

    def of_operation(self, method: str, template: str) -> str:
        """The scope of a method of a route, by the template of its path."""
        return next(r.scope for r in self._routes if r.template == template and method in r.methods)

    def _of_request(self, method: str, path: str) -> str:
        # `fullmatch`, since a route's pattern ends in $, which a newline may follow.
        matched = [route for route in self._routes if route.pattern.fullmatch(path)]
        for route in matched:
            if method in route.methods:
                return route.scope
        scopes = {route.scope for route in matched}
        if len(scopes) == 1:  # 405 for a client that may use the path
            return scopes.pop()
        # 404 for a client of a standard protocol whose path is wrong.
        return PREDICT if not matched and is_standard(path) else ADMIN


class AccessGate:
    """Admits requests: by `Host` where trusted hosts are set, by key where there are keys."""

    def __init__(self, keys: Keys | None, hosts: Hosts | None, scopes: RouteScopes) -> None:
        self.keys = keys
        self.scopes = scopes
        self._hosts = hosts

    def admit(self, method: str, path: str, headers: Headers) -> str | None:
        """Return the name of the request's key; None where it needs none.

        Raises UntrustedHost, Unauthenticated or Forbidden.
        """
        scope = self.scopes.of_request(method, path)
        if self._hosts is not None and scope != PROBE and not self._hosts.allow(headers.get(b"host")):
            raise UntrustedHost("the Host header is not one of the service's host names")
        if self.keys is None or scope in (OPEN, PROBE):
            return None
        return _authorized(self.keys, scope, method, path, headers).name


def _authorized(keys: Keys, scope: str, method: str, path: str, headers: Headers) -> Key:
    presented = _presented(headers)
    if presented is None:
        raise Unauthenticated(f"an API key is needed: send it as `Authorization: {BEARER} KEY` or `{API_KEY}: KEY`")
    key = keys.find(presented)
    if key is None:
        raise Unauthenticated("the API key is not known")
    if scope not in key.scopes:
        granted = ", ".join(sorted(key.scopes))
        raise Forbidden(f"the API key {key.name} is for {granted}: {method} {path[:200]} needs {scope}", key.name)
    return key


def _presented(headers: Headers) -> bytes | None:
    """The key that a request presents. `X-API-Key` wins, since `Authorization` may be meant for a proxy."""
    if (key := headers.get(_API_KEY)) is not None:
        return key.strip()
    match = _BEARER.fullmatch(headers.get(b"authorization", b""))
    return None if match is None else match[1]


class GateMiddleware:
    """Asks the gate before the application runs. What the gate raises is answered by `ExchangeMiddleware`."""

    def __init__(self, app: ASGIApp, gate: AccessGate) -> None:
        self.app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            state = scope.setdefault("state", {})
            try:
                state[STATE] = self._gate.admit(scope["method"], _route_path(scope), headers_of(scope))
            except Forbidden as error:
                state[STATE] = error.key
                raise
        elif scope["type"] != "lifespan":
            return  # no route takes anything else
        await self.app(scope, receive, send)


def _route_path(scope: Any) -> str:
    """The path that routes are matched with: without the prefix that the application is mounted under."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path
