"""Who gets in, by either way: the fast lane asks the same gate as the application, which alone says no.

A path needs the scope that stands here for it, and the scope `admin` where none does: so that a new route is open to
nobody until somebody has thought of it.
"""

import re
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from service.contract.errors import Forbidden, Unauthenticated, UntrustedHost
from service.http.access.hosts import Hosts
from service.http.access.keys import ADMIN, FEEDBACK, PREDICT, Key, Keys
from service.http.request_body import Headers, headers_of

STATE = "key"  # the name of a request's key in its state
BEARER, API_KEY = "Bearer", "X-API-Key"  # the two ways to present a key
_API_KEY = API_KEY.lower().encode()
_BEARER = re.compile(rb"bearer +(\S+) *", re.IGNORECASE)

# Who asks whether the service is there has no key, and asks by an address.
_PROBES = frozenset({"/livez", "/readyz", "/v2/health/live", "/v2/health/ready"})
_OF_MODEL = r"(?:/models/[^/]+)?"
# Files that are the same for everybody: the pages ask with the key that is entered there.
_OPEN = re.compile(r"/|/page/[^/]+|/docs|/docs/[^/]+")
_PREDICT = re.compile(
    rf"{_OF_MODEL}/(?:predict|explain|inputs|samples)|/models/[^/]+/readyz|/model|/models|/models/[^/]+"
    r"|/openapi\.json|/v[12]|/v[12]/.*"
)
_FEEDBACK = re.compile(rf"{_OF_MODEL}/feedback")


def scope_of(method: str, path: str) -> str | None:
    """The scope that a request needs; None where it needs no key. `path` is decoded, as routes are matched with it.

    >>> [scope_of("GET", path) for path in ("/livez", "/model", "/metrics", "/something/new")]
    [None, 'predict', 'admin', 'admin']
    >>> scope_of("POST", "/models/a/feedback"), scope_of("GET", "/feedback")
    ('feedback', 'admin')
    """
    if path in _PROBES or _OPEN.fullmatch(path):
        return None
    if _PREDICT.fullmatch(path):
        return PREDICT
    if method == "POST" and _FEEDBACK.fullmatch(path):
        return FEEDBACK
    return ADMIN


class Gate:
    """Which requests are let in: by their `Host`, where hosts are named, and by their key, where there are keys."""

    def __init__(self, keys: Keys | None, hosts: Hosts | None) -> None:
        self.keys = keys
        self.hosts = hosts

    def pass_in(self, method: str, path: str, headers: Headers) -> str | None:
        """Return the name of the request's key, if it needs one.

        Raises UntrustedHost, Unauthenticated or Forbidden.
        """
        if self.hosts is not None and path not in _PROBES and not self.hosts.allow(headers.get(b"host")):
            raise UntrustedHost("the request's Host is none that this service is known by")
        scope = scope_of(method, path)
        if self.keys is None or scope is None:
            return None
        return self._admitted(self.keys, scope, method, path, headers).name

    def _admitted(self, keys: Keys, scope: str, method: str, path: str, headers: Headers) -> Key:
        presented = _presented(headers)
        if presented is None:
            raise Unauthenticated(f"an API key is needed: send it as `Authorization: {BEARER} KEY` or `{API_KEY}: KEY`")
        key = keys.find(presented)
        if key is None:
            raise Unauthenticated("the API key is not known")
        if scope not in key.scopes:
            has = ", ".join(sorted(key.scopes))
            raise Forbidden(f"the API key {key.name} is for {has}: {method} {path[:200]} needs {scope}", key.name)
        return key


def _presented(headers: Headers) -> bytes | None:
    """The key that a request brings. `X-API-Key` goes first, since `Authorization` may be meant for a proxy."""
    if (given := headers.get(_API_KEY)) is not None:
        return given.strip()
    found = _BEARER.fullmatch(headers.get(b"authorization", b""))
    return None if found is None else found[1]


class GateMiddleware:
    """Asks the gate before the application. Raises what the gate raises, for `exchanges` to answer."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            state = scope.setdefault("state", {})
            try:
                state[STATE] = self._gate.pass_in(scope["method"], _routed(scope), headers_of(scope))
            except Forbidden as error:
                state[STATE] = error.key
                raise
        elif scope["type"] != "lifespan":
            return  # there are no routes for anything else
        await self.app(scope, receive, send)


def _routed(scope: Any) -> str:
    """The path that routes are matched with: without that of whatever the application is mounted under."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path
