"""The configurations in deploy/nginx agree with the service's settings."""

import re

import pytest

from service.settings import Settings
from tests.server import ROOT

CONFIGURATIONS = {path.name: path.read_text() for path in (ROOT / "deploy" / "nginx").glob("*.conf")}
EACH_CONFIGURATION = pytest.mark.parametrize("text", CONFIGURATIONS.values(), ids=CONFIGURATIONS)


def _value(text: str, directive: str) -> str:
    (value,) = re.findall(rf"^ *{directive} (.*);", text, re.MULTILINE)
    assert isinstance(value, str)
    return value


@EACH_CONFIGURATION
def test_body_limit_is_that_of_the_service(text: str) -> None:
    assert _value(text, "client_max_body_size") == f"{Settings().max_body_bytes // 2**20}m"


@EACH_CONFIGURATION
def test_nginx_closes_idle_connections_first(text: str) -> None:
    """If the service closed them, nginx might be sending a request at that moment."""
    assert int(_value(text, "keepalive_timeout").removesuffix("s")) < Settings().keep_alive_seconds


@EACH_CONFIGURATION
def test_service_times_out_before_nginx(text: str) -> None:
    assert int(_value(text, "proxy_read_timeout").removesuffix("s")) > Settings().request_seconds


def test_refused_request_is_not_sent_to_the_other_service() -> None:
    conditions = _value(CONFIGURATIONS["demur.conf"], "proxy_next_upstream").split()
    assert not [condition for condition in conditions if condition.startswith("http_")]
