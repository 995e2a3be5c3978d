"""API keys and trusted hosts on real sockets: the fast lane and the application admit the same requests."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.app import create_app
from service.http.access.scopes import SCOPES
from service.settings import Settings
from tests.server import ROOT, Server, command_environment, serving
from tests.service.http.access.made_keys import KEY, MADE

IMAGE = {"inputs": [[255, 0]]}
RAW = {"content-type": "application/octet-stream"}
# Headers that leave a request to the fast lane, and one that sends the same request to the application.
WAYS: dict[str, dict[str, str]] = {"lane": {}, "application": {"connection": "close"}}
BOTH = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@pytest.fixture(scope="module")
def server(tiny_model: Path, file: Path) -> Iterator[Server]:
    with serving(tiny_model, DEMUR_API_KEYS=str(file), DEMUR_TRUSTED_HOSTS="127.0.0.1, *.inside") as server:
        yield server


@BOTH
@pytest.mark.parametrize("path", ["/predict", "/models/tiny/predict"])
@pytest.mark.parametrize("name", ["predict", "rotated"])
@pytest.mark.parametrize("form", ["bearer", "Bearer", "X-API-Key"])
def test_key_grants_access(server: Server, way: dict[str, str], path: str, name: str, form: str) -> None:
    header = {form: KEY[name]} if form == "X-API-Key" else {"Authorization": f"{form} {KEY[name]}"}
    response = httpx2.post(f"{server.address}{path}", content=bytes(2), headers={**RAW, **way, **header})
    assert response.status_code == 200, response.text
    assert len(response.json()["predictions"]) == 1


REFUSED: dict[str, tuple[dict[str, str], int, str]] = {
    "no key": ({}, 401, "an API key is needed: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`"),
    "an unknown one": ({"X-API-Key": KEY["unknown"]}, 401, "the API key is not known"),
    "unknown, as bearer": ({"Authorization": f"Bearer {KEY['unknown']}"}, 401, "the API key is not known"),
    "an empty one": ({"X-API-Key": ""}, 401, "the API key is not known"),
    "its hash": ({"X-API-Key": MADE["predict"][1].digest.hex()}, 401, "the API key is not known"),
    "its name": ({"X-API-Key": "predict"}, 401, "the API key is not known"),
    "cut short": ({"X-API-Key": KEY["predict"][:-1]}, 401, "the API key is not known"),
    "another scheme": ({"Authorization": f"Basic {KEY['predict']}"}, 401, "an API key is needed"),
    "no scheme": ({"Authorization": KEY["predict"]}, 401, "an API key is needed"),
    "one too many": ({"X-API-Key": "x", "Authorization": f"Bearer {KEY['predict']}"}, 401, "the API key is not known"),
    "another scope": ({"X-API-Key": KEY["admin"]}, 403, "the API key admin is for admin: POST /predict needs predict"),
    "another host": (
        {"X-API-Key": KEY["predict"], "Host": "evil.example"},
        421,
        "the Host header is not one of",
    ),
}


@BOTH
@pytest.mark.parametrize(("headers", "status", "detail"), REFUSED.values(), ids=REFUSED)
def test_rejected_request_says_why(
    server: Server, way: dict[str, str], headers: dict[str, str], status: int, detail: str
) -> None:
    response = httpx2.post(f"{server.address}/predict", content=bytes(2), headers={**RAW, **way, **headers})
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    body = response.json()
    assert body["detail"].startswith(detail)
    assert (body["status"], body["request_id"]) == (status, response.headers["x-request-id"])
    assert response.headers.get("www-authenticate") == ('Bearer realm="demur"' if status == 401 else None)


def test_first_of_two_key_headers_counts(server: Server) -> None:
    for first, status in (("predict", 200), ("unknown", 401)):
        second = "unknown" if first == "predict" else "predict"
        headers = [("x-api-key", KEY[first]), ("x-api-key", KEY[second]), *RAW.items()]
        assert httpx2.post(f"{server.address}/predict", content=bytes(2), headers=headers).status_code == status


def test_key_in_the_query_string_is_ignored(server: Server) -> None:
    for name in ("api_key", "key", "X-API-Key", "access_token"):
        url = f"{server.address}/predict?{name}={KEY['predict']}"
        assert httpx2.post(url, content=bytes(2), headers=RAW).status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/v2/health/live", "/v2/health/ready"])
def test_probes_need_no_key_and_no_trusted_host(server: Server, path: str) -> None:
    assert httpx2.get(f"{server.address}{path}", headers={"host": "10.0.0.7:8000"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/docs", "/docs/start.js"])
def test_pages_need_no_key(server: Server, path: str) -> None:
    assert httpx2.get(f"{server.address}{path}").status_code == 200
    assert httpx2.get(f"{server.address}{path}", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("path", ["/v1/models", "/v2/models/tiny", "/v2/models/tiny/ready", "/v2"])
def test_standard_protocols_have_their_own_error_form(server: Server, path: str) -> None:
    response = httpx2.get(f"{server.address}{path}")
    assert (response.status_code, response.headers["content-type"]) == (401, "application/json")
    assert list(response.json()) == ["error"]
    assert httpx2.get(f"{server.address}{path}", headers={"x-api-key": KEY["predict"]}).status_code == 200


def _feedback(server: Server, name: str) -> int:
    answer = httpx2.post(f"{server.address}/predict", json=IMAGE, headers={"x-api-key": KEY["predict"]}).json()
    feedback = {"id": answer["predictions"][0]["id"], "label": "left"}
    return httpx2.post(f"{server.address}/feedback", json=feedback, headers={"x-api-key": KEY[name]}).status_code


def test_scopes_are_separate(server: Server) -> None:
    assert {name: _feedback(server, name) for name in SCOPES} == {"predict": 403, "feedback": 200, "admin": 403}
    for path in ("/metrics", "/drift", "/feedback", "/models/tiny/drift", "/nowhere"):
        statuses = {n: httpx2.get(f"{server.address}{path}", headers={"x-api-key": KEY[n]}).status_code for n in KEY}
        inside = 404 if path == "/nowhere" else 200
        assert statuses == {"predict": 403, "feedback": 403, "admin": inside, "rotated": 403, "unknown": 401}
    for path in ("/model", "/models", "/samples", "/openapi.json", "/v1/models/tiny"):
        statuses = {n: httpx2.get(f"{server.address}{path}", headers={"x-api-key": KEY[n]}).status_code for n in KEY}
        assert statuses == {"predict": 200, "feedback": 403, "admin": 403, "rotated": 200, "unknown": 401}


def test_rejection_does_not_wait_for_the_body(server: Server) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_request_without_a_host_is_refused_if_hosts_are_restricted(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"GET /model HTTP/1.0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize(("host", "status"), [("a.inside:80", 200), ("A.INSIDE", 200), ("inside", 421), ("[::1]", 421)])
@BOTH
def test_only_trusted_hosts_are_served(server: Server, way: dict[str, str], host: str, status: int) -> None:
    headers = {**RAW, **way, "x-api-key": KEY["predict"], "host": host}
    assert httpx2.post(f"{server.address}/predict", content=bytes(2), headers=headers).status_code == status


def test_application_may_be_mounted_below_a_prefix(app: FastAPI) -> None:
    with TestClient(app, root_path="/demur") as client:
        for path, status in (("/demur/livez", 200), ("/demur/metrics", 401), ("/demur/model", 401), ("/metrics", 401)):
            assert client.get(path).status_code == status
        assert client.get("/demur/metrics", headers={"x-api-key": KEY["admin"]}).status_code == 200
        assert client.get("/demur/model", headers={"x-api-key": KEY["admin"]}).status_code == 403


def test_hosts_alone_need_no_key(tiny_model: Path) -> None:
    with TestClient(create_app(Settings(model_path=tiny_model, trusted_hosts="demur.example"))) as client:
        assert client.get("/metrics", headers={"host": "demur.example"}).status_code == 200
        assert client.get("/metrics").status_code == 421


@pytest.mark.parametrize("workers", ["1", "2"])
def test_log_and_metrics_have_the_name_and_never_the_key(tiny_model: Path, file: Path, workers: str) -> None:
    settings = {"DEMUR_API_KEYS": str(file), "DEMUR_WORKERS": workers, "DEMUR_LOG_LEVEL": "debug"}
    with serving(tiny_model, **settings) as server:
        for way in WAYS.values():
            for name in ("predict", "unknown", "admin"):
                headers = {**way, "authorization": f"Bearer {KEY[name]}"}
                httpx2.post(f"{server.address}/predict", json=IMAGE, headers=headers)
        httpx2.post(f"{server.address}/predict", content=b"{", headers={"x-api-key": KEY["predict"]})
        scraped = httpx2.get(f"{server.address}/metrics", headers={"x-api-key": KEY["admin"]}).text
        assert server.stop(signal.SIGTERM) == 0
        lines = server.log()
    requests = [line for line in map(json.loads, lines) if line["logger"] == "demur.requests"]
    logged = [(line["status"], line.get("key")) for line in requests if line["path"] == "/predict"]
    assert sorted(logged, key=str) == [
        (200, "predict"), (200, "predict"), (401, None), (401, None), (403, "admin"), (403, "admin"), (415, "predict"),
    ]  # fmt: skip
    counted = re.findall(r"^demur_key_requests_total\{(.*?)\} (.*)$", scraped, re.MULTILINE)
    assert counted == [
        ('key="admin",status="403"', "2.0"),
        ('key="predict",status="200"', "2.0"),
        ('key="predict",status="415"', "1.0"),
    ]
    for presented in KEY.values():
        assert presented not in "\n".join(lines) + scraped


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"DEMUR_API_KEYS": "nowhere/keys"}, "demur: cannot read the API keys nowhere/keys: No such file or directory"),
        ({"DEMUR_API_KEYS": os.devnull}, f"demur: {os.devnull} has mode 666: only its owner may write"),
        ({"DEMUR_TRUSTED_HOSTS": "http://a"}, "demur: DEMUR_TRUSTED_HOSTS='http://a': 'http://a' is no host: it must"),
    ],
)
def test_unsafe_settings_stop_the_start_with_one_line(tiny_model: Path, settings: dict[str, str], message: str) -> None:
    environment = command_environment(DEMUR_MODEL_PATH=str(tiny_model), **settings)
    command = [sys.executable, "-m", "service"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1
