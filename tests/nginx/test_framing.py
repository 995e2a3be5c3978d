"""Ambiguous requests through a real nginx, which keeps its connections to the service: no answer goes astray."""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from service.app import create_app
from service.settings import Settings
from tests.nginx.starting import adapted, nginx
from tests.server import free_port
from tests.service.http.server.ambiguous_requests import AMBIGUOUS_REQUESTS, MARKER, Framing
from tests.service.http.server.test_fast_lane import running
from tests.service.http.server.test_framed_connection import busy
from tests.service.monitoring.metrics.scraped import read

pytestmark = pytest.mark.proxy

# nginx answers HTTP/0.9 without a head, so that no id can be read.
_REQUESTS = [request for request in AMBIGUOUS_REQUESTS if request.data != b"GET /v2/health/live\r\n\r\n"]
_LAST = MARKER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.fixture(scope="module")
def app(tiny_model: Path) -> FastAPI:
    return create_app(Settings(model_path=tiny_model, max_concurrent_requests=1))


@pytest.fixture(scope="module")
def ports(app: FastAPI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """The ports of the service and of nginx before it."""
    with running(app) as service:
        listening = free_port()
        services = {f"127.0.0.1:{port}": f"127.0.0.1:{service}" for port in (8001, 8002)}
        configuration = adapted("demur.conf", **{"127.0.0.1:8000": f"127.0.0.1:{listening}"}, **services)
        with nginx(tmp_path_factory.mktemp("nginx"), configuration, listening):
            yield service, listening


def _answered(port: int, data: bytes) -> list[str]:
    """The ids of the service's answers to the data. nginx refuses some itself, and waits for bodies."""
    answered = b""
    with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection, suppress(OSError):
        connection.sendall(data)
        while piece := connection.recv(1 << 16):
            answered += piece
    return re.findall(r"x-request-id: (\S+)\r\n", answered.decode("latin-1"))


def _count(port: int) -> float:
    return read(httpx2.get(f"http://127.0.0.1:{port}/metrics").text).total("demur_requests_total")


@pytest.mark.parametrize("is_busy", [False, True], ids=["calm", "overload"])
def test_each_answer_through_nginx_belongs_to_its_request(
    app: FastAPI, ports: tuple[int, int], *, is_busy: bool
) -> None:
    service, listening = ports
    for name, data, framing in _REQUESTS:
        before = _count(service)
        if is_busy:
            with busy(app):
                found = _answered(listening, data + _LAST)
        else:
            found = _answered(listening, data + _LAST)
        assert len(found) == len(set(found)), name
        assert "smuggled" not in found or framing is Framing.SEPARATE, name
        probe = httpx2.get(f"http://127.0.0.1:{listening}/livez", headers={"x-request-id": "probe"})
        assert (probe.status_code, probe.headers["x-request-id"]) == (200, "probe"), name
        assert _count(service) - before == len(found) + 2, name  # the probe and the scrape before
