"""The fast lane gives the answers of the application behind it, to good requests and to bad ones."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.app import create_app
from service.errors import ModelError
from service.settings import Settings

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
    "numbers": {"content": bytes(2), "headers": {"content-type": RAW, "accept": "application/x-npy"}},
    "numbers with top_k": {"json": {**IMAGE, "top_k": 1}, "headers": {"accept": RAW}},
    "no body": {},
    "not JSON": {"content": b"{", "headers": {"content-type": JSON}},
    "another type": {"content": b"x", "headers": {"content-type": "text/plain"}},
    "encoded": {"content": b"x", "headers": {"content-type": JSON, "content-encoding": "gzip"}},
    "too large": {"content": bytes(1001), "headers": {"content-type": RAW}},
    "a broken rule": {"json": {"inputs": [[256, 0]]}},
    "an unknown option": {"content": bytes(2), "headers": {"content-type": RAW}, "params": {"topk": 1}},
    "no number": {"content": bytes(2), "headers": {"content-type": RAW}, "params": {"top_k": "x"}},
    "an option twice": {"content": bytes(2), "headers": {"content-type": RAW}, "params": [("top_k", 1), ("top_k", 2)]},
    "a query beside JSON": {"json": IMAGE, "params": {"top_k": 1}},
    "with an id": {"json": IMAGE, "headers": {"x-request-id": "mine"}},
    "with an unsound id": {"json": IMAGE, "headers": {"x-request-id": "not mine"}},
}


@pytest.fixture(scope="module")
def app(tiny_model: Path) -> FastAPI:
    return create_app(Settings(model_path=tiny_model, max_body_bytes=1000))


@pytest.fixture(scope="module")
def with_lane(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def without_lane(app: FastAPI) -> Iterator[TestClient]:
    """The same application as FastAPI alone would assemble it."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await stack({**scope, "app": app}, receive, send)

    stack = FastAPI.build_middleware_stack(app)
    with TestClient(asgi) as client:
        yield client


@pytest.mark.parametrize("path", ["/predict", "/models/tiny/predict"])
@pytest.mark.parametrize("asked", REQUESTS.values(), ids=REQUESTS)
def test_answers_are_alike(with_lane: TestClient, without_lane: TestClient, asked: dict[str, Any], path: str) -> None:
    fast, slow = (client.post(path, **asked) for client in (with_lane, without_lane))
    assert fast.status_code == slow.status_code
    assert _comparable(fast) == _comparable(slow)
    assert {**fast.headers, "x-request-id": ""} == {**slow.headers, "x-request-id": "", **_length(fast)}
    if (given := asked.get("headers", {}).get("x-request-id")) is not None:
        repeated = [answer.headers["x-request-id"] == given for answer in (fast, slow)]
        assert repeated == [" " not in given] * 2


def _comparable(answer: httpx2.Response) -> object:
    """The body without what is another in each answer."""
    if "json" not in answer.headers["content-type"]:
        return answer.content
    body = answer.json()
    assert body.pop("request_id", answer.headers["x-request-id"]) == answer.headers["x-request-id"]
    for prediction in body.get("predictions", ()):
        assert prediction.pop("id")
    return body


def _length(answer: httpx2.Response) -> dict[str, str]:
    return {"content-length": answer.headers["content-length"]}


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/predict", 405), ("POST", "/models/x/predict", 404)])
def test_what_is_not_the_lanes_goes_on(with_lane: TestClient, method: str, path: str, status: int) -> None:
    assert with_lane.request(method, path).status_code == status


def test_fault_of_ours_is_a_500_that_tells_nothing(tiny_model: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings(model_path=tiny_model))
    predictor = app.state.models.predictors()["/predict"]
    predictor.classifier = None  # as no fault of today's would, but one of tomorrow's might
    with TestClient(app) as client, caplog.at_level(logging.ERROR, "demur"):
        answer = client.post("/predict", json=IMAGE)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "AttributeError" not in answer.text
    assert f"request {answer.json()['request_id']} failed" in caplog.text


def test_lane_is_of_the_proved_models_only(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "good.onnx").write_bytes(tiny_model.read_bytes())
    (tmp_path / "bad.onnx").write_bytes(b"")
    app = create_app(Settings(models=tmp_path))
    assert set(app.state.models.predictors()) == {"/models/good/predict"}
    with TestClient(app) as client:
        assert client.post("/models/bad/predict", json=IMAGE).status_code == 503
        assert client.post("/models/good/predict", json=IMAGE).status_code == 200
        assert client.post("/predict", json=IMAGE).status_code == 404


def test_no_lane_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        create_app(Settings(model_path=tmp_path / "missing.onnx"))


def test_numbers_are_read_by_name(with_lane: TestClient) -> None:
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
