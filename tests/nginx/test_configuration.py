"""The configurations in deploy/nginx agree with the service's settings."""

import re

import pytest

from service.settings import Settings
from tests.server import ROOT

GIVEN = {path.name: path.read_text() for path in (ROOT / "deploy" / "nginx").glob("*.conf")}
EACH = pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)


def _value(given: str, directive: str) -> str:
    (value,) = re.findall(rf"^ *{directive} (.*);", given, re.MULTILINE)
    assert isinstance(value, str)
    return value


@EACH
def test_bodies_may_be_as_large(given: str) -> None:
    assert _value(given, "client_max_body_size") == f"{Settings().max_body_bytes // 2**20}m"


@EACH
def test_nginx_closes_idle_connections_first(given: str) -> None:
    """Closed by the service, it may be at the very moment at which nginx sends a request on it."""
    assert int(_value(given, "keepalive_timeout").removesuffix("s")) < Settings().keep_alive_seconds


@EACH
def test_service_times_out_before_nginx(given: str) -> None:
    assert int(_value(given, "proxy_read_timeout").removesuffix("s")) > Settings().request_seconds


def test_no_request_that_was_refused_is_sent_to_the_other_service() -> None:
    conditions = _value(GIVEN["demur.conf"], "proxy_next_upstream").split()
    assert not [condition for condition in conditions if condition.startswith("http_")]
