"""deploy/nginx/demur.conf agrees with the service's settings."""

import re

from service.settings import Settings
from tests.server import ROOT

GIVEN = (ROOT / "deploy" / "nginx" / "demur.conf").read_text()


def _value(directive: str) -> str:
    (found,) = re.findall(rf"^ *{directive} (.*);", GIVEN, re.MULTILINE)
    assert isinstance(found, str)
    return found


def test_bodies_may_be_as_large() -> None:
    assert _value("client_max_body_size") == f"{Settings().max_body_bytes // 2**20}m"


def test_connection_that_nobody_uses_is_closed_by_nginx_first() -> None:
    """Closed by the service, it may be at the very moment at which nginx sends a request on it."""
    assert int(_value("keepalive_timeout").removesuffix("s")) < Settings().keep_alive_seconds


def test_it_is_the_service_that_says_what_was_late() -> None:
    assert int(_value("proxy_read_timeout").removesuffix("s")) > Settings().request_seconds


def test_no_request_that_was_refused_is_sent_to_the_other_service() -> None:
    assert not [condition for condition in _value("proxy_next_upstream").split() if condition.startswith("http_")]
