"""Scopes: what an API key allows. Each route declares the one that it needs, with `needs`.

A route without a declaration needs `admin`, and so does a path without a route: what is new is closed until somebody
opens it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

PREDICT, FEEDBACK, ADMIN = "predict", "feedback", "admin"
SCOPES = (PREDICT, FEEDBACK, ADMIN)
# These two need no key. A probe is also answered under any `Host`, since probes use an address.
OPEN, PROBE = "open", "probe"

_ATTRIBUTE = "needed_scope"  # of a route's function
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])


def needs(scope: str) -> Callable[[_Endpoint], _Endpoint]:
    """Declare the scope that a route needs; to be put on the route's function."""

    def declare(endpoint: _Endpoint) -> _Endpoint:
        setattr(endpoint, _ATTRIBUTE, scope)
        return endpoint

    return declare


def declared_scope(endpoint: Callable[..., Any] | None) -> str | None:
    """The scope that a route's function declares; None without a declaration."""
    return getattr(endpoint, _ATTRIBUTE, None)
