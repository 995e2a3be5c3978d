"""The service behind a real nginx with deploy/nginx/public.conf: TLS, limits for each client, and forwarding."""

import http.server
import json
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.http.access import keys
from service.http.access.scopes import SCOPES
from tests.nginx.starting import adapted, nginx
from tests.server import Server, free_port, serving

pytestmark = pytest.mark.proxy

NAME = "demur.example"
PRESENTED, KEY = keys.new("shop", frozenset(SCOPES))
RAW = {"content-type": "application/octet-stream", "x-api-key": PRESENTED}
Client = Callable[..., httpx2.Client]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for the name in the configuration; its key lies beside it."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -out tls.crt -keyout"
    named = ["tls.key", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    subprocess.run([*command.split(), *named], cwd=folder, check=True, capture_output=True)
    return folder / "tls.crt"


@contextmanager
def _public(folder: Path, certificate: Path, upstream: int, **replaced: str) -> Iterator[tuple[int, Client]]:
    """Run nginx before a port. Yields its plain port and a factory of clients, each at its own loopback address."""
    secure, plain = free_port(), free_port()
    ports = {"listen 443": f"listen 127.0.0.1:{secure}", "listen 80": f"listen 127.0.0.1:{plain}"}
    places = {"/etc/nginx/demur": str(certificate.parent), "127.0.0.1:8000": f"127.0.0.1:{upstream}"}
    trusted = ssl.create_default_context(cafile=str(certificate))

    def client(address: str = "127.0.0.1", name: str = NAME) -> httpx2.Client:
        transport = httpx2.HTTPTransport(verify=trusted, local_address=address)
        http_client = httpx2.Client(transport=transport, base_url=f"https://127.0.0.1:{secure}", timeout=30)

        def by_name(request: httpx2.Request) -> None:
            request.extensions["sni_hostname"] = name
            request.headers["host"] = name

        http_client.event_hooks = {"request": [by_name]}
        return http_client

    # Each client has its own address, so that one test does not use up the rate limit of another.
    with nginx(folder, adapted("public.conf", **ports, **places, **replaced), secure):
        yield plain, client


@pytest.fixture(scope="module")
def running(
    tiny_model: Path, certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, int, Client]]:
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "keys").write_text(KEY.line())
    settings = {"DEMUR_API_KEYS": str(folder / "keys"), "DEMUR_TRUSTED_HOSTS": NAME}
    with serving(tiny_model, **settings) as server, _public(folder, certificate, server.port) as (plain, client):
        yield server, plain, client


def _logged(server: Server, request_id: str) -> list[dict[str, Any]]:
    """The log, once it has the line of this request: it is written after the answer."""
    deadline = time.monotonic() + 10
    while True:
        lines = [json.loads(line) for line in server.log()]
        if request_id in {line.get("request_id") for line in lines}:
            return lines
        assert time.monotonic() < deadline, lines


def test_prediction_over_tls_is_unchanged(running: tuple[Server, int, Client]) -> None:
    server, _, client = running
    direct = httpx2.post(f"{server.address}/predict", content=bytes(2), headers={**RAW, "host": NAME}).json()
    with client("127.0.0.2") as asking:
        response = asking.post("/predict", content=bytes(2), headers={**RAW, "x-request-id": "order-7"})
        assert (response.status_code, response.headers["x-request-id"]) == (200, "order-7")
        varying = {"id": 0, "audit": 0}  # which differ in every prediction
        assert {**response.json()["predictions"][0], **varying} == {**direct["predictions"][0], **varying}
        assert response.headers["strict-transport-security"] == "max-age=63072000"
        assert response.headers["server"] == "nginx"  # without its version
        assert response.headers.get_list("x-content-type-options") == ["nosniff"]
        unsound = asking.post("/predict", content=bytes(2), headers={**RAW, "x-request-id": "no, not this"})
        assert len(unsound.headers["x-request-id"]) == 32
        refused = asking.post("/predict", content=bytes(2), headers={**RAW, "x-api-key": "x"})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="demur"')
        assert refused.json()["detail"] == "the API key is not known"
    assert [line["key"] for line in _logged(server, "order-7") if line.get("request_id") == "order-7"] == ["shop"]


def test_http2_works(running: tuple[Server, int, Client], certificate: Path) -> None:
    _, _, client = running
    with client() as asking:
        port = asking.base_url.port
    command = f"curl -sS --http2 --cacert {certificate} --resolve {NAME}:{port}:127.0.0.1 -o /dev/null"
    result = subprocess.run(
        [*command.split(), "-w", "%{http_code} %{http_version}", f"https://{NAME}:{port}/livez"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout == "200 2"


def test_another_name_gets_no_certificate(running: tuple[Server, int, Client]) -> None:
    _, _, client = running
    with client(name="evil.example") as asking, pytest.raises(httpx2.ConnectError, match=r"(?i)unrecognized.name"):
        asking.get("/livez")


def test_plain_http_redirects_to_tls_on_our_name(running: tuple[Server, int, Client]) -> None:
    _, plain, _ = running
    response = httpx2.get(f"http://127.0.0.1:{plain}/model?x=1", headers={"host": "evil.example"})
    assert (response.status_code, response.headers["location"]) == (308, f"https://{NAME}/model?x=1")


def _assert_ours(response: httpx2.Response, status: int, detail: str) -> None:
    """Assert that a refusal by nginx has the form of the service's."""
    assert response.status_code == status
    assert response.headers.get_list("content-type") == ["application/problem+json"]
    body = response.json()
    assert body["request_id"] == response.headers["x-request-id"]
    assert set(body) == {"type", "title", "status", "detail", "request_id"}
    assert (body["status"], body["detail"]) == (status, detail)
    assert response.headers["strict-transport-security"]
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/metrics", "/drift", "/models/tiny/drift"])
def test_operators_routes_are_not_public(running: tuple[Server, int, Client], path: str) -> None:
    _, _, client = running
    with client("127.0.0.3") as asking:
        _assert_ours(asking.get(path, headers=RAW), 404, "This does not exist.")


def test_too_large_body_is_refused_before_the_service(running: tuple[Server, int, Client]) -> None:
    server, _, client = running
    size = 16 * 2**20 + 1
    with client("127.0.0.4") as asking:
        too_large = asking.post("/predict", content=bytes(size), headers={**RAW, "x-request-id": "large"})
        _assert_ours(too_large, 413, "The body has too many bytes.")
        standard = asking.post("/v2/models/tiny/infer", content=bytes(size), headers=RAW)
        assert standard.headers.get_list("content-type") == ["application/json"]
        assert (standard.status_code, standard.json()) == (413, {"error": "The body has too many bytes."})
        just = asking.post("/predict", content=bytes(size - 1), headers={**RAW, "x-request-id": "just"})
        assert "at most 1024" in just.json()["detail"]
    assert "large" not in {line.get("request_id") for line in _logged(server, "just")}


def test_request_that_nginx_rejects_gets_our_error_form(running: tuple[Server, int, Client]) -> None:
    _, _, client = running
    with client("127.0.0.8") as asking:
        response = asking.get("/livez", headers={"x-long": "x" * 40_000})
        _assert_ours(response, 400, "The request is not valid HTTP.")


def test_only_a_client_over_its_rate_limit_gets_429(running: tuple[Server, int, Client]) -> None:
    _, _, client = running
    with client("127.0.0.5") as often, client("127.0.0.6") as seldom:
        answers = [often.get("/livez") for _ in range(300)]
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {200, 429}
        assert statuses[200] >= 101
        last = next(answer for answer in answers if answer.status_code == 429)
        _assert_ours(last, 429, "Too many requests from this address: try again later.")
        assert last.headers["retry-after"] == "1"
        protocol = [often.get("/v2/health/live") for _ in range(50)]
        assert {"error": "Too many requests from this address: try again later."} in [one.json() for one in protocol]
        assert seldom.post("/predict", content=bytes(2), headers=RAW).status_code == 200


class _Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the headers of the request."""

    def do_GET(self) -> None:
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def test_service_gets_the_client_address_from_nginx(certificate: Path, tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as echo:
        threading.Thread(target=echo.serve_forever, daemon=True).start()
        with _public(tmp_path, certificate, echo.server_port) as (_, client), client("127.0.0.7") as asking:
            forged = {"x-forwarded-for": "10.0.0.1", "x-forwarded-host": "evil", "forwarded": "for=10.0.0.1"}
            headers = asking.get("/livez", headers={**forged, "authorization": "Bearer x"}).json()
        echo.shutdown()
    assert headers["x-forwarded-for"] == "127.0.0.7"
    assert (headers["x-forwarded-host"], headers["host"], headers["x-forwarded-proto"]) == (NAME, NAME, "https")
    assert headers["authorization"] == "Bearer x"
    assert len(headers["x-request-id"]) == 32
    assert "forwarded" not in headers


def test_missing_service_gets_our_error_form(certificate: Path, tmp_path: Path) -> None:
    with _public(tmp_path, certificate, free_port()) as (_, client), client() as asking:
        response = asking.get("/livez")
    _assert_ours(response, 502, "The service does not answer: try again later.")
    assert response.headers["retry-after"] == "1"


def test_slow_client_is_disconnected(tiny_model: Path, certificate: Path, tmp_path: Path) -> None:
    """The configuration's timeouts are cut to a second."""
    head = f"POST /predict HTTP/1.1\r\nHost: {NAME}\r\nContent-Type: application/octet-stream\r\nContent-Length: 2\r\n"
    short = {
        "client_header_timeout 10s": "client_header_timeout 1s",
        "client_body_timeout 10s": "client_body_timeout 1s",
    }
    trusted = ssl.create_default_context(cafile=str(certificate))
    with serving(tiny_model) as server, _public(tmp_path, certificate, server.port, **short) as (_, client):
        with client() as asking:
            port = asking.base_url.port
            assert port is not None
        for sent in (head, f"{head}\r\nx"):  # within the headers, within the body
            with (
                socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
                trusted.wrap_socket(plain, server_hostname=NAME) as secure,
            ):
                secure.sendall(sent.encode())
                assert secure.recv(1000) == b""  # nginx closes it
        assert server.stop(signal.SIGTERM) == 0
        assert not any("/predict" in line for line in server.log())
