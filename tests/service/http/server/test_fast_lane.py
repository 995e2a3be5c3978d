"""The fast lane gives the answers of the application behind it, to good requests and to bad ones, on real sockets."""

import asyncio
import io
import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.app import create_app
from service.http.server.fast_lane import FastLaneProtocol
from service.settings import Settings
from tests.server import free_port
from tests.service.pictures import encoded

JSON, RAW = "application/json", "application/octet-stream"
IMAGE = {"inputs": [[255, 0]]}
REQUESTS: dict[str, dict[str, Any]] = {
    "an image": {"json": IMAGE},
    "with options": {"json": {**IMAGE, "top_k": 1, "policy": {"threshold": 0.9}}},
    "two raw images": {"content": bytes(4), "headers": {"content-type": RAW}},
    "options in the query": {
        "content": bytes(2),
        "headers": {"content-type": RAW},
        "params": {"top_k": 2, "selective_risk": 0.1, "probabilities": "false"},
    },
    "a form": {
        "content": b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n%b\r\n--b--\r\n'
        % encoded(Image.new("L", (2, 1), 255)),
        "headers": {"content-type": "multipart/form-data; boundary=b"},
    },
    "a broken form": {"content": b"--b", "headers": {"content-type": "multipart/form-data; boundary=b"}},
    "numbers": {"content": bytes(2), "headers": {"content-type": RAW, "accept": "application/x-npy"}},
    "numbers with top_k": {"json": {**IMAGE, "top_k": 1}, "headers": {"accept": RAW}},
    "no body": {},
    "not JSON": {"content": b"{", "headers": {"content-type": JSON}},
    "another type": {"content": b"x", "headers": {"content-type": "text/plain"}},
    "encoded": {"content": b"x", "headers": {"content-type": JSON, "content-encoding": "gzip"}},
    "too large": {"content": bytes(1002), "headers": {"content-type": RAW}},
    "a broken rule": {"json": {"inputs": [[256, 0]]}},
    "an unknown option": {"content": bytes(2), "headers": {"content-type": RAW}, "params": {"topk": 1}},
    "no number": {"content": bytes(2), "headers": {"content-type": RAW}, "params": {"top_k": "x"}},
    "an option twice": {"content": bytes(2), "headers": {"content-type": RAW}, "params": [("top_k", 1), ("top_k", 2)]},
    "a query beside JSON": {"json": IMAGE, "params": {"top_k": 1}},
    "with an id": {"json": IMAGE, "headers": {"x-request-id": "mine"}},
    "with an unsound id": {"json": IMAGE, "headers": {"x-request-id": "not mine"}},
}


@contextmanager
def running(app: ASGIApp) -> Iterator[int]:
    """uvicorn with the lane, in a thread; yields its port."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, http=FastLaneProtocol, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield port
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def app(tiny_model: Path) -> FastAPI:
    return create_app(Settings(model_path=tiny_model, max_body_bytes=1000))


@pytest.fixture(scope="module")
def port(app: FastAPI) -> Iterator[int]:
    with running(app) as number:
        yield number


@pytest.fixture(scope="module")
def with_lane(port: int) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        yield client


@pytest.fixture(scope="module")
def without_lane(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/predict", "/models/tiny/predict"])
@pytest.mark.parametrize("options", REQUESTS.values(), ids=REQUESTS)
def test_answers_are_alike(
    with_lane: httpx2.Client, without_lane: TestClient, options: dict[str, Any], path: str
) -> None:
    fast, slow = (client.post(path, **options) for client in (with_lane, without_lane))
    assert fast.status_code == slow.status_code
    assert _comparable(fast) == _comparable(slow)
    assert _headers(fast) == {**_headers(slow), "content-length": fast.headers["content-length"]}
    if (request_id := options.get("headers", {}).get("x-request-id")) is not None:
        repeated = [answer.headers["x-request-id"] == request_id for answer in (fast, slow)]
        assert repeated == [" " not in request_id] * 2


def _comparable(answer: httpx2.Response) -> object:
    """The body without the fields that differ between answers."""
    if "json" not in answer.headers["content-type"]:
        return answer.content
    body = answer.json()
    assert body.pop("request_id", answer.headers["x-request-id"]) == answer.headers["x-request-id"]
    for prediction in body.get("predictions", ()):
        assert prediction.pop("id")
        assert prediction.pop("audit") in (True, False)
    return body


def _headers(answer: httpx2.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in ("date", "server", "x-request-id")}


# Headers that clients send besides the type, length and host of a JSON body.
CLIENTS = {
    "curl": ["User-Agent: curl/8.14.1", "Accept: */*"],
    "requests": ["User-Agent: python-requests/2.34", "Accept-Encoding: gzip, deflate", "Connection: keep-alive"],
    "fetch of Node": ["Connection: keep-alive", "Accept: */*", "Accept-Language: *", "Sec-Fetch-Mode: cors"],
    "nginx": ["X-Request-ID: 1", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https"],
}


@pytest.fixture(scope="module")
def port_of_lane_alone(tiny_model: Path) -> Iterator[int]:
    """The port of a service whose application always answers 503."""
    complete = create_app(Settings(model_path=tiny_model))

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await PlainTextResponse("not by the lane", 503)(scope, receive, send)
        else:
            await complete(scope, receive, send)

    with running(application) as number:
        yield number


@pytest.mark.parametrize("headers", CLIENTS.values(), ids=CLIENTS)
def test_requests_of_common_clients_take_the_lane(port_of_lane_alone: int, headers: list[str]) -> None:
    message = _request(json.dumps(IMAGE).encode(), "Content-Type: application/json", *headers)
    with socket.create_connection(("127.0.0.1", port_of_lane_alone), timeout=10) as connection:
        connection.sendall(message)
        assert _statuses(connection, 1) == [200]


def test_requests_of_httpx_take_the_lane(port_of_lane_alone: int) -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{port_of_lane_alone}") as client:
        assert client.post("/predict", json=IMAGE).status_code == 200
        assert client.post("/predict", content=b"{").status_code == 503


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/predict", 405), ("POST", "/models/x/predict", 404)])
def test_requests_outside_the_lane_go_to_the_application(
    with_lane: httpx2.Client, method: str, path: str, status: int
) -> None:
    assert with_lane.request(method, path).status_code == status


def test_internal_error_is_a_500_without_details(tiny_model: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings(model_path=tiny_model))
    # No known fault has this effect; a future one might.
    app.state.registry.models.get(None).predictor.batcher._score = None
    with running(app) as port, caplog.at_level(logging.ERROR, "demur"):
        answer = httpx2.post(f"http://127.0.0.1:{port}/predict", json=IMAGE)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "TypeError" not in answer.text
    assert f"request {answer.json()['request_id']} failed" in caplog.text


def test_lane_serves_only_proved_models(tiny_model: Path, tmp_path: Path) -> None:
    for name in ("good", "with a blank"):
        (tmp_path / f"{name}.onnx").write_bytes(tiny_model.read_bytes())
    (tmp_path / "bad.onnx").write_bytes(b"")
    app = create_app(Settings(models=tmp_path))
    assert set(app.state.registry.lane) == {b"/models/good/predict", b"/models/with%20a%20blank/predict"}
    with running(app) as port:
        address = f"http://127.0.0.1:{port}"
        for path, status in {"good": 200, "with%20a%20blank": 200, "bad": 503, "ugly": 404}.items():
            assert httpx2.post(f"{address}/models/{path}/predict", json=IMAGE).status_code == status
        assert httpx2.post(f"{address}/predict", json=IMAGE).status_code == 404


def _request(body: bytes, *headers: str, method: str = "POST", path: str = "/predict") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


RAW_TYPE = "Content-Type: application/octet-stream"


def _statuses(connection: socket.socket, count: int) -> list[int]:
    """The statuses of `count` answers, in order of arrival."""
    statuses = []
    with connection.makefile("rb") as file:
        for _ in range(count):
            statuses.append(int(file.readline().split()[1]))
            headers = dict(line.lower().split(b": ", 1) for line in iter(file.readline, b"\r\n"))
            file.read(int(headers.get(b"content-length", 0)))
    return statuses


def test_pipelined_requests_are_answered_in_their_order(port: int) -> None:
    good, bad = _request(bytes(2), RAW_TYPE), _request(bytes(3), RAW_TYPE)
    probe = _request(b"", method="GET", path="/livez")
    missing = _request(b"", method="GET", path="/nowhere")
    sent = [good, bad, good, probe, good, good, missing, bad, good]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"".join(sent))
        assert _statuses(connection, len(sent)) == [200, 422, 200, 200, 200, 200, 404, 422, 200]


def test_body_in_pieces(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        message = _request(bytes(2), RAW_TYPE)
        for i in range(len(message)):
            connection.sendall(message[i : i + 1])
        assert _statuses(connection, 1) == [200]


@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        (_request(bytes(2), RAW_TYPE, "Connection: close"), [200]),
        (_request(bytes(2), RAW_TYPE, "Expect: 100-continue"), [100, 200]),
        (_request(bytes(2), RAW_TYPE, "Content-Type: text/plain"), [200]),  # the first of two counts
        (_request(bytes(2), RAW_TYPE).replace(b"HTTP/1.1", b"HTTP/1.0"), [200]),
        (_request(bytes(2), RAW_TYPE, path="/predict?top_k=1"), [200]),
        (_request(bytes(2), RAW_TYPE, path="/%70redict"), [200]),
        (_request(b"", RAW_TYPE), [422]),
    ],
)
def test_unusual_requests_are_answered_too(port: int, request_: bytes, statuses: list[int]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request_)
        assert _statuses(connection, len(statuses)) == statuses


def test_disconnected_client_affects_no_other(port: int, with_lane: httpx2.Client) -> None:
    for rest in (0, 1, 2):  # before the body, within it, and after it
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            message = _request(bytes(2), RAW_TYPE)
            connection.sendall(message[: len(message) - 2 + rest])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert with_lane.post("/predict", json=IMAGE).status_code == 200


def test_concurrent_connections_get_their_own_answers(port: int, without_lane: TestClient) -> None:
    images = [bytes([i, 255 - i]) for i in range(0, 256, 5)]
    expected = [_comparable(without_lane.post("/predict", content=i, headers={"content-type": RAW})) for i in images]

    async def ask() -> list[object]:
        limits = httpx2.Limits(max_connections=len(images))
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits) as client:
            requests = (client.post("/predict", content=image, headers={"content-type": RAW}) for image in images * 4)
            return [_comparable(answer) for answer in await asyncio.gather(*requests)]

    assert asyncio.run(ask()) == expected * 4


def test_binary_answers_equal_the_json(with_lane: httpx2.Client) -> None:
    body, headers = bytes([0, 0, 255, 0]), {"content-type": RAW}
    path = "/predict?threshold=0.9"
    answer = with_lane.post(path, content=body, headers={**headers, "accept": "application/x-npy"})
    assert answer.headers["content-type"] == "application/x-npy"
    records = np.load(io.BytesIO(answer.content))
    as_json = with_lane.post(path, content=body, headers=headers).json()
    assert records["probabilities"].tolist() == [entry["probabilities"] for entry in as_json["predictions"]]
    assert records["confidence"].tolist() == [entry["confidence"] for entry in as_json["predictions"]]
    assert records["label"].tolist() == [-1, -1]
    assert json.loads(answer.headers["demur-policy"]) == as_json["policy"]
    assert answer.headers["demur-model"] == "{name}/{version}".format(**as_json["model"])
    raw = with_lane.post(path, content=body, headers={**headers, "accept": RAW})
    assert raw.content == records.tobytes()
